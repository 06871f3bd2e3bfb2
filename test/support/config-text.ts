/** Every kind of listener, two friends, both modes. */
export const DESIGN_CONFIG = `relay:
  name: relay.bob.example
  state: ./state
  admin: 127.0.0.1:7080

listeners:
  smtp:   { bind: ["0.0.0.0:25", "[::]:25"], protocol: smtp }
  smtps:  { bind: ["0.0.0.0:465"], protocol: tls }
  https:  { bind: ["0.0.0.0:443"], protocol: tls }
  http:   { bind: ["0.0.0.0:80"], protocol: http }
  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }
  ssh-a:  { bind: ["0.0.0.0:2222"], protocol: tcp, friend: alice }

friends:
  alice:
    promise: sealed
    domains: [alice.example, "*.alice.example"]
    addresses: [203.0.113.7, "2001:db8:1::a"]
    routes:
      https: { mode: dedicated, to: "10.0.0.5:443", proxy: v2 }
      smtp:  { mode: dedicated, to: "10.0.0.5:25", otherwise: refuse }
  dave:
    domains: [dave.example]
    routes:
      smtp:  { mode: peer, to: "mx.dave.example:25", recipients: [dave, postmaster] }
      http:  { mode: peer, to: "10.0.0.9:8080", cache: false }
      https: { mode: dedicated, to: box }
`

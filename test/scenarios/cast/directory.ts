/** Stands in for DNS: where a service of a name is reached, and whose key is whose. Only the world changes it. */
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import type { Person } from "./ladder.ts"

export type Service = "smtp" | "imap" | "https" | "http" | "tcp"

export class Directory {
  readonly #places = new Map<string, SocketAddress>()
  readonly #keys = new Map<string, Person>()
  /** Where a relay asks who may send mail in a name, which nobody asks the directory. */
  nameServerPort = 53
  /** Certificates that senders and visitors trust, as PEM. */
  readonly trusted: string[] = []

  names(service: Service, name: string, where: SocketAddress): void {
    this.#places.set(`${service} ${name}`, where)
  }

  /** Throws where nobody is named: a scene that is written wrongly. */
  where(service: Service, name: string): SocketAddress {
    const place = this.#places.get(`${service} ${name}`)
    if (!place) throw new Error(`nothing leads to ${service} of ${name}`)
    return place
  }

  /** `fingerprint`: SHA-256 of the certificate, as node:crypto writes it. */
  isKeyOf(person: Person, fingerprint: string, pem: string): void {
    this.#keys.set(fingerprint, person)
    this.trusted.push(pem)
  }

  keyOwner(fingerprint: string): Person | undefined {
    return this.#keys.get(fingerprint)
  }
}

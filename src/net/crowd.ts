/**
 * A collection in no order, whose members know their place in it, so that coming and going allocates nothing. A Set
 * would do if members did not come and go all the time: its tables, outgrown one after the other, keep each other and
 * whoever was in them alive until the next full collection, which was half of all CPU time that accepting cost.
 */
export class Crowd<Place extends string, Member extends Record<Place, number>> {
  readonly #members: Member[] = []
  readonly #place: Place

  /** `place`: where members keep their place; only their crowd writes it. */
  constructor(place: Place) {
    this.#place = place
  }

  get size(): number {
    return this.#members.length
  }

  get members(): readonly Member[] {
    return this.#members
  }

  add(member: Member): void {
    this.#put(member, this.#members.length)
  }

  /** Does nothing if it is not here. */
  remove(member: Member): void {
    const place = member[this.#place]
    if (this.#members[place] !== member) return
    const last = this.#members.pop()
    if (last !== undefined && last !== member) this.#put(last, place)
  }

  #put(member: Record<Place, number> & Member, place: number): void {
    this.#members[place] = member
    const placed: Record<Place, number> = member
    placed[this.#place] = place
  }
}

import Base

/// Where the entries of a chunk's constant pools stand. Only those of the types asked for are noted; none is decoded
/// before somebody asks for it.
struct ConstantPools {
  struct Pool {
    var keys = KeyTable()
    /// By a key's number: from the chunk's first byte.
    var positions: [Int] = []
  }
  /// By the wanted type's place.
  private(set) var pools: [Pool]
  private var entryCount = 0
  private let integers: WireIntegers
  private let types: TypeTable
  /// By type id: how to go past an entry, and where to note it.
  private var plans: [Int64: (plan: RecordPlan, pool: Int?)] = [:]
  private let wanted: [String]

  init(_ types: TypeTable, wanted: [String], _ integers: WireIntegers) {
    self.types = types
    self.wanted = wanted
    self.integers = integers
    pools = Array(repeating: Pool(), count: wanted.count)
  }

  /// Reads the checkpoint at `lastOffset` and those before it, latest first: of two entries with one key the later stands.
  mutating func readChain(_ bytes: RawSpan, from lastOffset: Int64) throws(MalformedInput) {
    var limit = bytes.byteCount
    var offset = lastOffset
    while true {
      guard let start = Int(exactly: offset), start >= ChunkHeader.byteCount, start < limit else {
        throw malformed("checkpoint offset", at: 16, "leads to \(offset), which is no place for a checkpoint")
      }
      // Checkpoints do not overlap, so a chain is walked in one go over the bytes.
      let delta = try readCheckpoint(bytes.extracting(0..<limit), at: start)
      if delta == 0 { return }
      limit = start
      offset = offset &+ delta
    }
  }

  /// - Returns: the way to the checkpoint before, 0 at the first.
  @discardableResult
  mutating func readCheckpoint(_ bytes: RawSpan, at start: Int) throws(MalformedInput) -> Int64 {
    var position = start
    guard let size = integers.count(bytes, &position), size > 0, size <= bytes.byteCount &- start else {
      throw malformed("checkpoint size", at: start, "is more than there is")
    }
    let event = bytes.extracting(0..<(start &+ size))
    // Type, start, duration; then the delta, a byte of flags and the pools.
    guard integers.long(event, &position) == 1, integers.long(event, &position) != nil,
      integers.long(event, &position) != nil, let delta = integers.long(event, &position),
      event.byte(at: position) != nil
    else { throw malformed("checkpoint", at: start, "is none") }
    position &+= 1
    guard let poolCount = integers.count(event, &position), poolCount <= size else {
      throw malformed("checkpoint", at: start, "has more pools than bytes")
    }
    for _ in 0..<poolCount { try readPool(event, &position) }
    return delta
  }

  private mutating func readPool(_ bytes: RawSpan, _ position: inout Int) throws(MalformedInput) {
    let start = position
    guard let typeID = integers.long(bytes, &position), let count = integers.count(bytes, &position),
      count <= bytes.byteCount &- position
    else { throw malformed("constant pool", at: start, "is larger than its checkpoint") }
    let (plan, pool) = try plan(typeID, at: start)
    var noSlots: [Int64] = []
    guard let pool else {
      for _ in 0..<count {
        guard integers.long(bytes, &position) != nil, plan.run(bytes, &position, &noSlots) else {
          throw Self.ends(typeID, position)
        }
      }
      return
    }
    entryCount += count
    guard entryCount <= Limits.poolEntries else {
      throw MalformedInput(
        field: "constant pool", offset: FileOffset(UInt64(start)),
        problem: .overLimit(value: UInt64(entryCount), limit: UInt64(Limits.poolEntries)))
    }
    for _ in 0..<count {
      guard let key = integers.long(bytes, &position) else { throw Self.ends(typeID, position) }
      if pools[pool].keys.insert(key).isNew { pools[pool].positions.append(position) }
      guard plan.run(bytes, &position, &noSlots) else { throw Self.ends(typeID, position) }
    }
  }

  private static func ends(_ typeID: Int64, _ position: Int) -> MalformedInput {
    malformed("constant pool of type \(typeID)", at: position, "ends inside an entry")
  }

  private mutating func plan(_ typeID: Int64, at offset: Int) throws(MalformedInput) -> (plan: RecordPlan, pool: Int?) {
    if let known = plans[typeID] { return known }
    guard let type = types[id: typeID] else {
      throw malformed("constant pool", at: offset, "is of type \(typeID), which the metadata does not have")
    }
    let plan = try RecordPlan(type, types, fields: [], isWhole: true, integers)
    let made = (plan, wanted.firstIndex(of: type.name))
    plans[typeID] = made
    return made
  }
}

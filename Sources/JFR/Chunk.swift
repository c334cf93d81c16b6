import Base

/// One chunk of a recording: its types, the places of its constants, and its events.
///
/// Every chunk stands alone: types, ids, keys and clock are its own.
package struct Chunk: ~Escapable {
  /// From the header's first byte.
  package let bytes: RawSpan
  package let header: ChunkHeader
  package let types: TypeTable
  package let clock: ChunkClock
  /// Why something of its constants may be missing, if so.
  package let problem: ChunkProblem?

  let integers: WireIntegers
  private let pools: ConstantPools
  private let textPool: Int?

  private static let textType = "java.lang.String"

  /// - Parameters:
  ///   - bytes: of the chunk, all that there are.
  ///   - pools: the types whose constants will be asked for, by their place in this list.
  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan, pools wanted: [String]) throws(ChunkProblem) {
    let header = try ChunkHeader(bytes)
    let integers = WireIntegers(isCompressed: header.isCompressed)
    self.bytes = bytes
    self.header = header
    self.integers = integers
    clock = ChunkClock(header)
    let wanted = wanted + [Self.textType]
    textPool = wanted.count - 1

    // A finished chunk's header leads to everything. Where it does not, the events themselves are looked through.
    var layout = ChunkLayout()
    var failure: MalformedInput?
    var found: TypeTable?
    do throws(MalformedInput) { found = try MetadataReader(bytes, at: header.metadataOffset, integers).types } catch { failure = error }
    if found == nil {
      layout = ChunkLayout(bytes, integers)
      if let offset = layout.metadataOffset {
        do throws(MalformedInput) { found = try MetadataReader(bytes, at: offset, integers).types } catch { failure = error }
      }
    }
    guard let types = found else {
      if header.metadataOffset == 0 { throw .unfinished("what its events look like was not written yet") }
      throw .malformed(failure ?? MalformedInput(field: "metadata", offset: FileOffset(0), problem: .inconsistent("is missing")))
    }
    self.types = types

    var constants = ConstantPools(types, wanted: wanted, integers)
    var problem: ChunkProblem?
    do throws(MalformedInput) {
      guard header.checkpointOffset != 0 else { throw malformed("checkpoint offset", at: 16, "is 0") }
      try constants.readChain(bytes, from: header.checkpointOffset)
    } catch {
      // What was read stands; the rest is looked for, the latest first.
      if layout.isEmpty { layout = ChunkLayout(bytes, integers) }
      let isUnfinished = header.checkpointOffset == 0 || !header.isFinished || header.checkpointOffset >= Int64(bytes.byteCount)
      problem = isUnfinished ? .unfinished("its last names are missing") : .malformed(error)
      for offset in layout.checkpoints.reversed() {
        do throws(MalformedInput) { try constants.readCheckpoint(bytes, at: offset) } catch { continue }
      }
    }
    self.problem = problem
    self.pools = constants
  }

  // MARK: Constants

  /// The number of the constant `key` of the wanted type at `pool`, or `nil` when the chunk has none.
  package func number(of key: Int64, pool: Int) -> Int? { pools.pools.span[pool].keys.find(key) }

  /// The keys of the wanted type at `pool`, for those who ask for a number with every event.
  package func keys(pool: Int) -> KeyTable { pools.pools[pool].keys }

  /// How many constants the chunk has of the wanted type at `pool`; they are numbered from 0.
  package func count(pool: Int) -> Int { pools.pools.span[pool].positions.count }

  /// Reads the constant `number` of `pool` into `slots`.
  package func read(pool: Int, number: Int, _ plan: RecordPlan, _ slots: inout [Int64]) -> Bool {
    var position = pools.pools.span[pool].positions[number]
    return plan.run(bytes, &position, &slots)
  }

  /// A plan that reads these fields of the type `name`; one that reads nothing when there is no such type.
  package func plan(_ name: String, fields: [String]) -> RecordPlan {
    guard let type = types[name] else { return RecordPlan(slotCount: fields.count, integers) }
    do {
      return try RecordPlan(type, types, fields: fields, isWhole: false, integers)
    } catch { return RecordPlan(slotCount: fields.count, integers) }
  }

  /// A plan that reads these fields of each element of the array `field` of the type `name`.
  package func plan(elementsOf field: String, of name: String, fields: [String]) -> RecordPlan {
    guard let type = types[name], let array = type.fields.first(where: { $0.name == field }) else {
      return RecordPlan(slotCount: fields.count, integers)
    }
    do {
      return try RecordPlan(elementOf: array, types, fields: fields, integers)
    } catch { return RecordPlan(slotCount: fields.count, integers) }
  }

  /// Goes through the array at `place`, as a plan put it into a slot; what is more than an array may have is left out.
  /// - Parameters:
  ///   - body: called with the slots of each element.
  package func forEachElement(
    at place: Int64, _ plan: RecordPlan, _ slots: inout [Int64], _ body: (borrowing [Int64]) -> Void
  ) {
    guard !plan.steps.isEmpty, var position = Int(exactly: place), position > 0,
      let count = integers.count(bytes, &position), count <= bytes.byteCount &- position
    else { return }
    for _ in 0..<min(count, Limits.arrayElements) {
      guard plan.run(bytes, &position, &slots) else { return }
      body(slots)
    }
  }

  /// The text at `place`, as a plan put it into a slot, in UTF-8; empty for null and for what is missing.
  package func text(at place: Int64) -> [UInt8] {
    guard var position = Int(exactly: place), position > 0 else { return [] }
    switch WireText.read(bytes, &position, integers) {
    case .text(let text): return text
    case .key(let key): return text(key: key)
    case nil: return []
    }
  }

  /// The text `key` of the chunk's pool of texts.
  package func text(key: Int64) -> [UInt8] {
    guard let textPool, let number = number(of: key, pool: textPool) else { return [] }
    var position = pools.pools[textPool].positions[number]
    // An entry that is a key itself leads nowhere.
    guard case .text(let text) = WireText.read(bytes, &position, integers) else { return [] }
    return text
  }
}

/// Where a chunk's metadata and checkpoints are, found by going from event to event.
struct ChunkLayout {
  private(set) var metadataOffset: Int64?
  private(set) var checkpoints: [Int] = []
  private(set) var isEmpty = true

  init() {}

  init(_ bytes: RawSpan, _ integers: WireIntegers) {
    isEmpty = false
    var start = ChunkHeader.byteCount
    while start < bytes.byteCount {
      var position = start
      guard let size = integers.count(bytes, &position), size > 0, size <= bytes.byteCount &- start,
        let type = integers.long(bytes, &position)
      else { return }
      if type == 0 { metadataOffset = Int64(start) }
      if type == 1 { checkpoints.append(start) }
      start &+= size
    }
  }
}

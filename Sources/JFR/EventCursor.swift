import Base

/// What is wanted of one kind of event.
package struct EventRequest: Sendable {
  package let name: String
  /// Field names; the event's slots are in this order.
  package let fields: [String]
  package init(_ name: String, _ fields: [String]) {
    self.name = name
    self.fields = fields
  }
}

/// Goes through a chunk's events in file order and stops at those asked for.
package struct EventCursor: ~Escapable {
  private let bytes: RawSpan
  private let integers: WireIntegers
  private var position = ChunkHeader.byteCount
  private let plans: [RecordPlan]
  /// All of them in one, and where each begins: nothing is counted a reference to for each event.
  private let joined: RecordPlan
  private let stepStarts: [Int]
  /// By type id below `smallTypes`: the request's place + 1, 0 for none.
  private var requestByType: [Int32]
  private var requestByLargeType: [Int64: Int32] = [:]
  private static let smallTypes = 1 << 13

  /// Events of the kinds asked for that could not be read.
  package private(set) var malformedEvents = 0
  /// All events by type id, the chunk's metadata and checkpoints among them.
  package private(set) var countsBySmallType: [Int]
  package private(set) var otherEvents = 0
  /// Why the walk ended before the chunk's end.
  package private(set) var problem: ChunkProblem?

  @_lifetime(copy chunk)
  package init(_ chunk: borrowing Chunk, _ requests: [EventRequest]) {
    bytes = chunk.bytes
    integers = chunk.integers
    let plans = requests.map { chunk.plan($0.name, fields: $0.fields) }
    self.plans = plans
    (joined, stepStarts) = RecordPlan.joining(plans, chunk.integers)
    requestByType = Array(repeating: 0, count: Self.smallTypes)
    countsBySmallType = Array(repeating: 0, count: Self.smallTypes)
    for (place, request) in requests.enumerated() {
      guard let id = chunk.types[request.name]?.id else { continue }
      if id >= 0, id < Self.smallTypes {
        requestByType[Int(id)] = Int32(place + 1)
      } else {
        requestByLargeType[id] = Int32(place + 1)
      }
    }
  }

  /// Whether events of the request at `place` have its field `slot`.
  package func has(_ slot: Int, of place: Int) -> Bool { plans[place].isPresent[slot] }

  /// The next event asked for.
  /// - Parameters:
  ///   - slots: get the event's fields; at least as many as any request has. Fields the event does not have are left alone.
  /// - Returns: the request's place, or `nil` after the last event.
  package mutating func next(_ slots: inout [Int64]) -> Int? {
    while position < bytes.byteCount {
      let start = position
      var field = start
      guard let size = integers.count(bytes, &field), size > 0, size <= bytes.byteCount &- start,
        let type = integers.long(bytes, &field), field <= start &+ size
      else {
        end(at: start)
        return nil
      }
      position = start &+ size
      var place: Int32
      if type >= 0, type < Self.smallTypes {
        let index = Int(type)
        place = requestByType[index]
        countsBySmallType[index] &+= 1
      } else {
        place = requestByLargeType[type] ?? 0
        otherEvents &+= 1
      }
      if place == 0 { continue }
      place &-= 1
      // A record is read inside its own bytes only.
      let index = Int(place)
      if joined.run(stepStarts[index], stepStarts[index &+ 1], bytes.extracting(0..<(start &+ size)), &field, &slots) { return index }
      malformedEvents &+= 1
    }
    return nil
  }

  private mutating func end(at start: Int) {
    position = bytes.byteCount
    problem = .malformed(malformed("event size", at: start, "leads past the chunk's end"))
  }
}

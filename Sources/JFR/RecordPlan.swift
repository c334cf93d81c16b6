import Base

/// What to do with the bytes of a record, field by field: worked out once a chunk from its metadata, then run many times.
///
/// Fields that nobody asked for are gone past, runs of them at once; asked ones are put into slots. A text or an array is
/// put there as its place in the chunk, to be read by those who want it.
package struct RecordPlan: Sendable {
  enum Action: UInt8, Sendable {
    /// `count` compressed integers.
    case skipIntegers
    /// `count` bytes.
    case skipBytes
    case skipText
    /// A count of elements, each as the next `count` steps say.
    case skipArray
    /// A compressed integer of a type of `width` bytes.
    case keepInteger
    /// `width` bytes, big-endian.
    case keepFixed
    case keepText
    /// As `skipArray`.
    case keepArray
  }
  struct Step: Sendable {
    var action: Action
    var isSigned = true
    var width: UInt8 = 0
    var slot: Int32 = -1
    var count: Int32 = 1
  }
  private(set) var steps: [Step] = []
  /// For each slot whether the type has such a field; other slots stay 0.
  package private(set) var isPresent: [Bool]
  private let integers: WireIntegers

  /// A plan that knows no field.
  init(slotCount: Int, _ integers: WireIntegers) {
    isPresent = Array(repeating: false, count: slotCount)
    self.integers = integers
  }

  /// - Parameters:
  ///   - fields: by name, `a.b` for a field inside a field; the slot is the place in this list.
  ///   - isWhole: whether the plan is to reach the record's end, else the last field asked for.
  init(
    _ type: RecordedType, _ types: TypeTable, fields: [String], isWhole: Bool, _ integers: WireIntegers
  ) throws(MalformedInput) {
    self.init(slotCount: fields.count, integers)
    if type.name == "java.lang.String" {
      append(Step(action: .skipText))
      return
    }
    if WireType(type.name) != nil {
      try append(FieldType(typeID: type.id), path: "", types, fields, depth: 0)
      return
    }
    var keptEnd = 0
    for field in type.fields {
      let present = isPresent
      try append(field, path: field.name, types, fields, depth: 0)
      if isPresent != present { keptEnd = steps.count }
    }
    if !isWhole { steps.removeSubrange(keptEnd...) }
  }

  /// The plan for one element of the array `field`.
  init(elementOf field: FieldType, _ types: TypeTable, fields: [String], _ integers: WireIntegers) throws(MalformedInput) {
    self.init(slotCount: fields.count, integers)
    guard let type = types[id: field.typeID] else { throw Self.noType(field.typeID) }
    for inner in type.fields { try append(inner, path: inner.name, types, fields, depth: 0) }
  }

  // MARK: Building

  /// The steps of all `plans`, and where those of each begin, with their end behind the last.
  static func joining(_ plans: [RecordPlan], _ integers: WireIntegers) -> (plan: RecordPlan, starts: [Int]) {
    var all = RecordPlan(slotCount: 0, integers)
    var starts: [Int] = []
    for plan in plans {
      starts.append(all.steps.count)
      all.steps += plan.steps
    }
    return (all, starts + [all.steps.count])
  }

  private static func noType(_ id: Int64) -> MalformedInput {
    malformed("metadata field", at: 0, "is of type \(id), which the metadata does not have")
  }

  private mutating func append(
    _ field: FieldType, path: String, _ types: TypeTable, _ fields: [String], depth: Int
  ) throws(MalformedInput) {
    guard depth < Limits.planDepth, steps.count < Limits.planSteps else {
      throw malformed("metadata", at: 0, "has a type of more parts than there is room for")
    }
    let slot = fields.firstIndex(of: path) ?? -1
    if field.isArray {
      let place = steps.count
      steps.append(Step(action: slot < 0 ? .skipArray : .keepArray, slot: Int32(slot)))
      isBarred = true
      var single = field
      single.isArray = false
      // Nothing inside an array has a slot.
      try append(single, path: "", types, [], depth: depth + 1)
      steps[place].count = Int32(steps.count - place - 1)
      isBarred = true
      if slot >= 0 { isPresent[slot] = true }
      return
    }
    guard let type = types[id: field.typeID] else { throw Self.noType(field.typeID) }
    let wire = field.isPooled ? .integer(width: 8, isSigned: true) : WireType(type.name)
    guard let wire else {
      for inner in type.fields {
        try append(inner, path: path.isEmpty ? "" : path + "." + inner.name, types, fields, depth: depth + 1)
      }
      return
    }
    if slot >= 0 { isPresent[slot] = true }
    append(step(wire, slot: slot))
  }

  private func step(_ wire: WireType, slot: Int) -> Step {
    switch wire {
    case .text: Step(action: slot < 0 ? .skipText : .keepText, slot: Int32(slot))
    case .integer(let width, let isSigned) where integers.isCompressed && width > 1:
      Step(action: slot < 0 ? .skipIntegers : .keepInteger, isSigned: isSigned, width: UInt8(width), slot: Int32(slot))
    case .integer(let width, let isSigned):
      Step(
        action: slot < 0 ? .skipBytes : .keepFixed, isSigned: isSigned, width: UInt8(width), slot: Int32(slot),
        count: Int32(width))
    case .bits(let width):
      Step(
        action: slot < 0 ? .skipBytes : .keepFixed, isSigned: false, width: UInt8(width), slot: Int32(slot),
        count: Int32(width))
    }
  }

  /// Whether the last step is part of an array's body, or an array, and must not take in the next.
  private var isBarred = false

  private mutating func append(_ step: Step) {
    let merges = step.action == .skipIntegers || step.action == .skipBytes
    if merges, !isBarred, let last = steps.indices.last, steps[last].action == step.action {
      steps[last].count += step.count
    } else {
      steps.append(step)
    }
    isBarred = false
  }
}

/// The types that a chunk's metadata takes as known, by how they are written.
private enum WireType {
  case integer(width: Int, isSigned: Bool)
  /// A floating-point number, never compressed.
  case bits(width: Int)
  case text

  init?(_ name: String) {
    switch name {
    case "boolean": self = .integer(width: 1, isSigned: false)
    case "byte": self = .integer(width: 1, isSigned: true)
    case "char": self = .integer(width: 2, isSigned: false)
    case "short": self = .integer(width: 2, isSigned: true)
    case "int": self = .integer(width: 4, isSigned: true)
    case "long": self = .integer(width: 8, isSigned: true)
    case "float": self = .bits(width: 4)
    case "double": self = .bits(width: 8)
    case "java.lang.String": self = .text
    default: return nil
    }
  }
}

// MARK: Running

extension RecordPlan {
  /// Runs the plan from `position` on.
  /// - Parameters:
  ///   - bytes: the chunk up to where the record must end.
  ///   - slots: as many as fields were asked for; those of fields that the type does not have are left alone.
  /// - Returns: whether the record fits; then `position` is behind the last step.
  @inline(__always)
  func run(_ bytes: RawSpan, _ position: inout Int, _ slots: inout [Int64]) -> Bool {
    run(0, steps.count, bytes, &position, &slots)
  }

  /// Runs the steps from `first` up to `end`.
  func run(
    _ first: Int, _ end: Int, _ bytes: RawSpan, _ position: inout Int, _ slots: inout [Int64]
  ) -> Bool {
    var place = first
    while place < end {
      let step = steps[place]
      place &+= 1
      switch step.action {
      case .skipIntegers:
        guard WireIntegers.skipCompressed(Int(step.count), bytes, &position) else { return false }
      case .skipBytes:
        position &+= Int(step.count)
      case .keepInteger:
        guard let raw = WireIntegers.compressed(bytes, &position) else { return false }
        slots[Int(step.slot)] = Self.value(raw, step)
      case .keepFixed:
        guard let raw = WireIntegers.fixed(bytes, &position, width: Int(step.width)) else { return false }
        slots[Int(step.slot)] = Self.value(raw, step)
      case .skipText:
        guard WireText.skip(bytes, &position, integers) else { return false }
      case .keepText:
        slots[Int(step.slot)] = Int64(position)
        guard WireText.skip(bytes, &position, integers) else { return false }
      case .skipArray, .keepArray:
        if step.action == .keepArray { slots[Int(step.slot)] = Int64(position) }
        let body = place..<(place &+ Int(step.count))
        place = body.upperBound
        guard skipArray(body, bytes, &position, &slots) else { return false }
      }
    }
    return position <= bytes.byteCount
  }

  @inline(__always)
  private static func value(_ raw: UInt64, _ step: Step) -> Int64 {
    step.isSigned ? WireIntegers.signed(raw, width: Int(step.width)) : Int64(bitPattern: raw)
  }

  private func skipArray(
    _ body: Range<Int>, _ bytes: RawSpan, _ position: inout Int, _ slots: inout [Int64]
  ) -> Bool {
    // Every step of a body takes a byte at least, so a count is at most what is left.
    guard let count = integers.count(bytes, &position), body.isEmpty || count <= bytes.byteCount &- position else {
      return false
    }
    guard let only = body.first else { return true }
    if body.count == 1 {
      // As stack traces are: each a few integers.
      let (total, overflow) = count.multipliedReportingOverflow(by: Int(steps[only].count))
      switch steps[only].action {
      case .skipIntegers:
        return !overflow && total <= bytes.byteCount &- position && WireIntegers.skipCompressed(total, bytes, &position)
      case .skipBytes:
        guard !overflow, total <= bytes.byteCount &- position else { return false }
        position &+= total
        return true
      default: break
      }
    }
    for _ in 0..<count where !run(body.lowerBound, body.upperBound, bytes, &position, &slots) { return false }
    return true
  }
}

extension StandardLibrary {
  static let collectionFunctions: [String: Function] = [
    "coalesce": { (arguments) throws(LibraryError) in
      for value in arguments.values where !isZero(value) { return value }
      return arguments.values.last ?? .null
    },
    "array.concat": { (arguments) throws(LibraryError) in
      var all: [AlloyValue] = []
      for index in arguments.values.indices {
        all += try arguments.array(index)
        guard all.count <= Evaluator.maximumSize else { throw LibraryError("array is longer than \(Evaluator.maximumSize)") }
      }
      return .array(all)
    },
    "array.combine_maps": { (arguments) throws(LibraryError) in
      let left = try arguments.only(3).array(0)
      let right = try arguments.array(1)
      var keys: [String] = []
      for key in try arguments.array(2) { keys.append(try FunctionArguments(values: [key]).string(0)) }
      return .array(try combined(left, right, keys))
    },
    "array.group_by": { (arguments) throws(LibraryError) in
      let elements = try arguments.only(3).array(0)
      let key = try arguments.string(1)
      guard case .bool(let dropsMissing) = arguments.values[2] else { throw arguments.wrong(2, "bool") }
      var order: [String] = []
      var groups: [String: [AlloyValue]] = [:]
      for element in elements {
        guard case .object(let fields) = element else { throw arguments.wrong(0, "array of objects") }
        var name = ""
        if let value = fields[key] { name = try FunctionArguments(values: [value]).string(0) } else if dropsMissing { continue }
        if groups[name] == nil { order.append(name) }
        groups[name, default: []].append(element)
      }
      return .array(order.map { .object([key: .string($0), "items": .array(groups[$0] ?? [])]) })
    },
  ]

  private static func isZero(_ value: AlloyValue) -> Bool {
    switch value {
    case .null: true
    case .number(let number): number.double == 0
    case .string(let text), .secret(let text): text.isEmpty
    case .bool(let flag): !flag
    case .array(let elements): elements.isEmpty
    case .object(let fields): fields.isEmpty
    default: false
    }
  }

  private static func combined(_ left: [AlloyValue], _ right: [AlloyValue], _ keys: [String]) throws(LibraryError) -> [AlloyValue] {
    guard !keys.isEmpty else { throw LibraryError("combine_maps: at least one key is needed", argument: 2) }
    guard left.count.multipliedReportingOverflow(by: right.count).partialValue <= 10_000_000 else {
      throw LibraryError("combine_maps: too many pairs to look at")
    }
    var result: [AlloyValue] = []
    for first in left {
      guard case .object(let one) = first else { throw LibraryError("argument should be array of objects", argument: 0) }
      for second in right {
        guard case .object(let other) = second else { throw LibraryError("argument should be array of objects", argument: 1) }
        guard keys.allSatisfy({ one[$0] != nil && one[$0] == other[$0] }) else { continue }
        result.append(.object(one.merging(other) { $1 }))
      }
    }
    return result
  }
}

/// Makes values what an argument wants: numbers and strings turn into each other, durations are read.
enum ValueConversion {
  enum Failure: Error {
    /// `path` is what leads to the value inside the argument's: `[0]`, `.name`.
    case mismatch(path: String, expected: String, found: String)
    case refused(path: String, String)
  }

  static func convert(_ value: AlloyValue, to type: ArgumentType, _ path: String = "") throws(Failure) -> AlloyValue {
    func mismatch() -> Failure { .mismatch(path: path, expected: type.name, found: value.typeName) }
    switch type {
    case .string:
      switch value {
      case .string: return value
      case .number(let number): return .string(number.written)
      default: throw mismatch()
      }
    case .word(let words):
      let text = try convert(value, to: .string, path)
      guard case .string(let word) = text, words.contains(word) else {
        throw .refused(path: path, "invalid value \(text.written); must be one of \(words.map { "\"\($0)\"" }.joined(separator: ", "))")
      }
      return text
    case .bool:
      guard case .bool = value else { throw mismatch() }
      return value
    case .integer:
      guard let number = number(value) else { throw mismatch() }
      guard let whole = number.whole else { throw .refused(path: path, "\(value.written) is no whole number") }
      return .number(.integer(whole))
    case .float:
      guard let number = number(value) else { throw mismatch() }
      return .number(.float(number.double))
    case .duration:
      guard case .string(let text) = value else { throw mismatch() }
      switch GoDuration.parse(text) {
      case .success(let nanoseconds): return .number(.integer(nanoseconds))
      case .failure(let error): throw .refused(path: path, error.message)
      }
    case .secret:
      switch value {
      case .secret: return value
      case .string(let text): return .secret(text)
      case .number(let number): return .secret(number.written)
      default: throw mismatch()
      }
    case .list(let element):
      guard case .array(let elements) = value else { throw mismatch() }
      return .array(try convert(elements, to: element, path))
    case .map(let element):
      guard case .object(let fields) = value else { throw mismatch() }
      var converted: [String: AlloyValue] = [:]
      for key in fields.keys.sorted() {
        guard let field = fields[key] else { continue }
        converted[key] = try convert(field, to: element, "\(path).\(key)")
      }
      return .object(converted)
    case .targets:
      guard case .array(let elements) = value else { throw mismatch() }
      return .array(try convert(elements, to: .map(.string), path))
    case .receivers:
      guard case .array(let elements) = value else { throw mismatch() }
      for (index, element) in elements.enumerated() {
        guard case .receiver = element else {
          throw .mismatch(path: "\(path)[\(index)]", expected: AlloyValue.receiver("").typeName, found: element.typeName)
        }
      }
      return value
    }
  }

  private static func convert(_ elements: [AlloyValue], to type: ArgumentType, _ path: String) throws(Failure) -> [AlloyValue] {
    var converted: [AlloyValue] = []
    converted.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() { converted.append(try convert(element, to: type, "\(path)[\(index)]")) }
    return converted
  }

  private static func number(_ value: AlloyValue) -> AlloyNumber? {
    switch value {
    case .number(let number): number
    case .string(let text): Int64(text).map { .integer($0) } ?? Double(text).map { .float($0) }
    default: nil
    }
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

extension Evaluator {
  typealias Operand = (expression: Expression, value: AlloyValue)

  func combine(
    _ left: Operand, _ operation: Token.Kind, _ right: Operand, _ range: SourceRange, _ isSecret: Bool
  ) throws(Diagnostic) -> AlloyValue {
    switch operation {
    case .equal: return .bool(Self.areEqual(left.value, right.value))
    case .notEqual: return .bool(!Self.areEqual(left.value, right.value))
    case .and, .or:
      guard case .bool(let first) = left.value else { throw mismatch(left.expression, "bool", left.value, isSecret) }
      guard case .bool(let second) = right.value else { throw mismatch(right.expression, "bool", right.value, isSecret) }
      return .bool(operation == .and ? first && second : first || second)
    case .plus:
      if let text = try joined(left, right, range, isSecret) { return text }
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      if case .string(let first) = left.value {
        guard case .string(let second) = right.value else { throw mismatch(right.expression, "string", right.value, isSecret) }
        let order = first.utf8.lexicographicallyPrecedes(second.utf8)
        let isSame = first.utf8.elementsEqual(second.utf8)
        return .bool(Self.holds(operation, isLess: order, isEqual: isSame))
      }
    default: break
    }
    guard case .number(let first) = left.value else { throw mismatch(left.expression, "number", left.value, isSecret) }
    guard case .number(let second) = right.value else { throw mismatch(right.expression, "number", right.value, isSecret) }
    switch operation {
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      return .bool(Self.holds(operation, isLess: first.double < second.double, isEqual: first.double == second.double))
    default: return .number(try arithmetic(first, operation, second, range))
    }
  }

  private static func holds(_ operation: Token.Kind, isLess: Bool, isEqual: Bool) -> Bool {
    switch operation {
    case .less: isLess
    case .lessOrEqual: isLess || isEqual
    case .greater: !isLess && !isEqual
    default: !isLess
    }
  }

  private static func areEqual(_ left: AlloyValue, _ right: AlloyValue) -> Bool {
    if case .number(let first) = left, case .number(let second) = right { return first.double == second.double }
    return left == right
  }

  private func joined(_ left: Operand, _ right: Operand, _ range: SourceRange, _ isSecret: Bool) throws(Diagnostic) -> AlloyValue? {
    let first: String
    let second: String
    var makesSecret = false
    switch left.value {
    case .string(let text): first = text
    case .secret(let text): (first, makesSecret) = (text, true)
    default: return nil
    }
    switch right.value {
    case .string(let text): second = text
    case .secret(let text): (second, makesSecret) = (text, true)
    default: throw mismatch(right.expression, "string", right.value, isSecret)
    }
    guard first.utf8.count + second.utf8.count <= Self.maximumSize else {
      throw Diagnostic(range, "text is longer than \(Self.maximumSize) bytes")
    }
    return makesSecret ? .secret(first + second) : .string(first + second)
  }

  private func arithmetic(
    _ first: AlloyNumber, _ operation: Token.Kind, _ second: AlloyNumber, _ range: SourceRange
  ) throws(Diagnostic) -> AlloyNumber {
    if case .integer(let a) = first, case .integer(let b) = second, let whole = try whole(a, operation, b, range) {
      return .integer(whole)
    }
    let (a, b) = (first.double, second.double)
    switch operation {
    case .plus: return .float(a + b)
    case .minus: return .float(a - b)
    case .times: return .float(a * b)
    case .divided: return .float(a / b)
    case .remainder: return .float(a.truncatingRemainder(dividingBy: b))
    default: return .float(power(a, b))
    }
  }

  /// `nil` where whole numbers do not suffice.
  private func whole(_ a: Int64, _ operation: Token.Kind, _ b: Int64, _ range: SourceRange) throws(Diagnostic) -> Int64? {
    switch operation {
    case .plus: return exact(a.addingReportingOverflow(b))
    case .minus: return exact(a.subtractingReportingOverflow(b))
    case .times: return exact(a.multipliedReportingOverflow(by: b))
    case .divided, .remainder:
      guard b != 0 else { throw Diagnostic(range, "division by zero") }
      return exact(operation == .divided ? a.dividedReportingOverflow(by: b) : a.remainderReportingOverflow(dividingBy: b))
    default: return Int64(exactly: power(Double(a), Double(b)))
    }
  }

  private func exact(_ result: (partialValue: Int64, overflow: Bool)) -> Int64? {
    result.overflow ? nil : result.partialValue
  }

  private func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}

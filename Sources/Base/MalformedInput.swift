/// Bytes that do not follow their format: what was being read, where, and what is wrong.
public struct MalformedInput: Error, Hashable {
  public enum Problem: Hashable, Sendable {
    case truncated(needed: Int, remaining: Int)
    case unsupported(value: UInt64)
    /// `value` is above the limit named in the message.
    case overLimit(value: UInt64, limit: UInt64)
    /// The value contradicts another part of the same input.
    case inconsistent(String)
  }
  /// The field's name in its specification (`e_shoff`).
  public let field: String
  /// Bytes from the start of the input that was handed in.
  public let offset: FileOffset
  public let problem: Problem

  public init(field: String, offset: FileOffset, problem: Problem) {
    self.field = field
    self.offset = offset
    self.problem = problem
  }
}

extension MalformedInput: CustomStringConvertible {
  public var description: String {
    switch problem {
    case .truncated(let needed, let remaining):
      "\(field) at \(offset) needs \(needed) bytes and \(remaining) remain"
    case .unsupported(let value):
      "\(field) at \(offset) holds \(value), which this version does not read"
    case .overLimit(let value, let limit):
      "\(field) at \(offset) holds \(value), above the limit of \(limit)"
    case .inconsistent(let why):
      "\(field) at \(offset) \(why)"
    }
  }
}

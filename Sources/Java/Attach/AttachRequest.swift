/// What is sent to a JVM's attach listener (HotSpot `attachListener_posix.cpp`).
package struct AttachRequest: Hashable, Sendable {
  package let command: String
  package let arguments: [String]

  /// Version 1: a command and exactly three arguments.
  package static let argumentCount = 3
  /// Version 1: bytes of an argument, without the NUL behind it.
  package static let argumentLimit = 1024
  /// Version 2 (JDK 24 and later): bytes of all together.
  package static let secondVersionLimit = 256 * 1024

  package init(_ command: String, _ arguments: [String] = []) {
    self.command = command
    self.arguments = arguments
  }

  /// Whether only version 2 can say it.
  package var needsSecondVersion: Bool {
    arguments.count > Self.argumentCount || arguments.contains { $0.utf8.count > Self.argumentLimit }
  }

  package func encode(secondVersion: Bool) throws(JavaError) -> [UInt8] {
    guard !([command] + arguments).contains(where: { $0.utf8.contains(0) }) else { throw .argumentHasNUL(command: command) }
    if secondVersion {
      let body = Self.ended([command] + arguments)
      guard body.count <= Self.secondVersionLimit else {
        throw .argumentTooLong(command: command, byteCount: body.count, limit: Self.secondVersionLimit)
      }
      return Self.ended(["2", String(body.count)]) + body
    }
    if let long = arguments.first(where: { $0.utf8.count > Self.argumentLimit }) {
      throw .argumentTooLong(command: command, byteCount: long.utf8.count, limit: Self.argumentLimit)
    }
    guard arguments.count <= Self.argumentCount else {
      throw .argumentTooLong(command: command, byteCount: arguments.count, limit: Self.argumentCount)
    }
    let padded = arguments + Array(repeating: "", count: Self.argumentCount - arguments.count)
    return Self.ended(["1", command] + padded)
  }

  /// A NUL behind each.
  private static func ended(_ texts: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for text in texts {
      bytes += Array(text.utf8)
      bytes.append(0)
    }
    return bytes
  }
}

/// What a JVM answered: a status, then text.
package struct AttachReply: Hashable, Sendable {
  package let status: Int
  package let text: String

  /// The JVM does not know the version of the request.
  package static let badVersion = 101

  package init(status: Int, text: String) {
    self.status = status
    self.text = text
  }

  /// - Parameter bytes: the whole answer: a decimal number, a line feed, text.
  package init(_ bytes: [UInt8], to command: String) throws(JavaError) {
    let line = bytes.prefix { $0 != 0x0a }
    guard line.count < 12, let status = Int(String(decoding: line, as: UTF8.self)) else {
      throw .malformedReply(command: command, String(decoding: bytes.prefix(80), as: UTF8.self))
    }
    self.status = status
    text = String(decoding: bytes.dropFirst(line.count + 1), as: UTF8.self)
  }

  /// What `load` gives: the library's own status, or why it was not loaded. JDK 8 prints the number alone; JDK 21 and later
  /// tell of a failure with status 0 and without a number.
  package func loadStatus() throws(JavaError) -> Int {
    let words = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    let number = words.hasPrefix("return code:") ? words.dropFirst("return code:".count).drop { $0 == " " } : words[...]
    guard status == 0, let value = Int(number) else { throw .refused(command: "load", status: status, text: words) }
    return value
  }
}

/// What is wrong with a configuration, and where.
package struct Diagnostic: Error, Hashable, Sendable {
  package enum Severity: String, Hashable, Sendable {
    case error = "Error"
    case warning = "Warning"
  }
  package var severity = Severity.error
  package var range: SourceRange
  package var message: String

  package init(_ range: SourceRange, _ message: String, severity: Severity = .error) {
    self.range = range
    self.message = message
    self.severity = severity
  }
}

/// Writes messages as Alloy does: place, words, the line with its neighbours and `^` under what is meant.
package struct DiagnosticText {
  private static let tabWidth = 4
  private let file: SourceFile
  /// Texts that are secrets: shown as asterisks, whichever message shows the line they are on.
  private let secrets: [SourceRange]

  package init(_ file: SourceFile) {
    self.file = file
    secrets = SecretRanges.find(in: file)
  }

  /// In the order of the file.
  package func render(_ diagnostics: [Diagnostic]) -> String {
    let sorted = diagnostics.enumerated().sorted {
      ($0.element.range.start, $0.offset) < ($1.element.range.start, $1.offset)
    }
    return sorted.map { render($0.element) }.joined(separator: "\n")
  }

  package func render(_ diagnostic: Diagnostic) -> String {
    let part = self.file.part(at: diagnostic.range.start)
    let file = part.file
    var diagnostic = diagnostic
    diagnostic.range.start -= part.start
    diagnostic.range.end -= part.start
    let start = file.position(of: diagnostic.range.start)
    let end = file.position(of: max(diagnostic.range.start, diagnostic.range.end - 1))
    var text = "\(diagnostic.severity.rawValue): \(file.name):\(start.line):\(start.column): \(diagnostic.message)\n\n"
    let first = max(start.line - 1, 1)
    let last = min(end.line + 1, file.lineCount)
    let width = String(last).utf8.count
    let isLong = end.line > start.line
    for number in first...last {
      let (offset, bytes) = file.line(number)
      // The empty line after the last newline is no line of the file.
      if number == file.lineCount, bytes.isEmpty, number > end.line { break }
      let label = String(number)
      text += String(repeating: " ", count: width - label.utf8.count) + label + " | "
      if isLong { text += number > start.line && number <= end.line ? "| " : "  " }
      text += trimmed(shown(bytes, at: part.start + offset)) + "\n"
      guard number == start.line || isLong && number == end.line else { continue }
      text += String(repeating: " ", count: width) + " | "
      let rail = !isLong ? "" : number == start.line ? " _" : "|_"
      text += rail + focus(bytes, number, start, end, blank: isLong ? "_" : " ") + "\n"
    }
    return text
  }

  private func trimmed(_ text: String) -> String {
    var text = text
    while text.last == " " { text.removeLast() }
    return text
  }

  private func shown(_ bytes: ArraySlice<UInt8>, at offset: Int) -> String {
    var shown: [UInt8] = []
    for (index, byte) in zip(offset..., bytes) {
      let isSecret = secrets.contains { $0.start <= index && index < $0.end }
      switch byte {
      case 0x0d: continue
      case 0x09, 0x0b: shown += repeatElement(0x20, count: Self.tabWidth)
      // What moves a terminal's cursor is not for a message.
      case 0..<0x20, 0x7f: shown += Array("\u{fffd}".utf8)
      default:
        if !isSecret { shown.append(byte) } else if byte & 0xc0 != 0x80 { shown.append(UInt8(ascii: "*")) }
      }
    }
    return String(decoding: shown, as: UTF8.self)
  }

  private func focus(
    _ bytes: ArraySlice<UInt8>, _ line: Int, _ start: SourceFile.Position, _ end: SourceFile.Position, blank: String
  ) -> String {
    var text = ""
    var column = 0
    for byte in bytes {
      column += 1
      if line == end.line, column > end.column { break }
      if byte & 0xc0 == 0x80 || byte == 0x0d { continue }
      let isMeant = line == start.line ? column >= start.column : true
      if byte == 0x09 || byte == 0x0b {
        text += String(repeating: blank, count: Self.tabWidth)
      } else {
        // On the last of several lines only what begins after its indentation is meant.
        let isIndentation = line > start.line && byte == 0x20 && !text.contains("^")
        text += isMeant && !isIndentation ? "^" : blank
      }
    }
    // A place at the end of a line or file has nothing above it.
    if line == start.line, !text.contains("^") { text += "^" }
    return text
  }
}

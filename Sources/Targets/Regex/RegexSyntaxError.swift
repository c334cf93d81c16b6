/// A regular expression that cannot be used, and the part of it that is at fault, in the words of Go's `regexp`.
package struct RegexSyntaxError: Error, Hashable {
  package let reason: String
  package let part: String
}

extension RegexSyntaxError: CustomStringConvertible {
  package var description: String { "error parsing regexp: \(reason)" + (part.isEmpty ? "" : ": `\(part)`") }
}

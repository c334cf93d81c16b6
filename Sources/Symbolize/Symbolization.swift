/// What the code at an address is.
package enum Symbolization: Hashable, Sendable {
  /// Innermost inlined function first; never empty.
  case frames([Frame])
  case unknown(MissReason)
}

/// One function at an address: the function itself, or one that was inlined into it.
package struct Frame: Hashable, Sendable {
  /// The linkage name as the symbol table has it, without a version; not demangled.
  package var function: String
  package var file: String?
  /// Counts from 1.
  package var line: UInt32?
  /// The line the function starts at.
  package var startLine: UInt32?

  package init(function: String, file: String? = nil, line: UInt32? = nil, startLine: UInt32? = nil) {
    self.function = function
    self.file = file
    self.line = line
    self.startLine = startLine
  }
}

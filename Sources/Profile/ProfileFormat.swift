/// What may be asked of a format; each takes what it has a place for.
package struct FormatOptions: Hashable, Sendable {
  /// Marks kernel frames with `_[k]` and inlined ones with `_[i]`.
  package var annotate = false
  /// Adds ` (FILE:LINE)` to names.
  package var lines = false
  package init(annotate: Bool = false, lines: Bool = false) {
    self.annotate = annotate
    self.lines = lines
  }
}

/// A way to write a finished profile.
package protocol ProfileFormat: Sendable {
  /// The word after `--format`.
  static var name: String { get }
  /// Whether samples of threads of different names are to be kept apart, because the output shows the name.
  static var groupsByThreadName: Bool { get }
  /// Gives the output away in pieces: the same bytes for the same profile and options, always.
  static func encode<Failure: Error>(
    _ profile: Profile, _ options: FormatOptions, to output: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure)
}

extension ProfileFormat {
  /// The whole output at once.
  package static func encode(_ profile: Profile, _ options: FormatOptions) -> [UInt8] {
    var all: [UInt8] = []
    encode(profile, options) { piece in
      if all.isEmpty { all = piece } else { all += piece }
    }
    return all
  }
}

/// The formats there are, in the order help shows them; the first is the default.
package enum ProfileFormats {
  package static let all: [any ProfileFormat.Type] = [PprofFormat.self, CollapsedFormat.self]

  package static func named(_ name: String) -> (any ProfileFormat.Type)? { all.first { $0.name == name } }
}

/// A string of a profile's string table; 0 is the empty string.
package struct StringHandle: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// The empty string, which also stands for "not known".
  package static let empty = StringHandle(0)
  @inlinable package var index: Int { Int(rawValue) }
}

/// A function of a profile: its place in `Profile.functions`.
package struct FunctionHandle: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable package var index: Int { Int(rawValue) }
}

/// A mapping of a profile: its place in `Profile.mappings`.
package struct MappingHandle: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable package var index: Int { Int(rawValue) }
}

/// A location of a profile: its place in `Profile.locations`.
package struct LocationHandle: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable package var index: Int { Int(rawValue) }
}

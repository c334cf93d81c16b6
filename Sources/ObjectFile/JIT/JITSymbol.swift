/// Code that a runtime made while it ran, under the name it gave it.
package struct JITSymbol: Hashable, Sendable {
  /// Of the process, not of any file.
  package var address: UInt64
  package var byteCount: UInt64
  package var name: String
  /// When it was put there, by the monotonic clock; `nil` where the runtime does not say.
  package var nanoseconds: UInt64?
  package init(address: UInt64, byteCount: UInt64, name: String, nanoseconds: UInt64? = nil) {
    self.address = address
    self.byteCount = byteCount
    self.name = name
    self.nanoseconds = nanoseconds
  }

  /// A longer name is cut.
  package static let maximumNameByteCount = 1 << 14
}

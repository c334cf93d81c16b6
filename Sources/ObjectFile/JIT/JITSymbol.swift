/// Code that a runtime made while it ran, under the name it gave it.
package struct JITSymbol: Hashable, Sendable {
  /// Of the process, not of any file.
  package var address: UInt64
  package var byteCount: UInt64
  package var name: String
  package init(address: UInt64, byteCount: UInt64, name: String) {
    self.address = address
    self.byteCount = byteCount
    self.name = name
  }

  /// A longer name is cut.
  package static let maximumNameByteCount = 1 << 14
}

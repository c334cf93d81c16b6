/// Strings one after another in one array, so that a hundred thousand names are two allocations. Always valid UTF-8.
package struct StringTable: Hashable, Sendable {
  /// All strings' bytes, string 0 first.
  private(set) var bytes: [UInt8] = []
  /// Where each string ends in `bytes`; the next one starts there.
  private(set) var ends: [Int] = [0]

  /// A table that holds string 0, the empty one.
  package init() {}

  package var count: Int { ends.count }

  /// The text of `handle`, as a `String` of its own.
  package subscript(handle: StringHandle) -> String { String(decoding: self.utf8(handle), as: UTF8.self) }

  /// The text of `handle` without a copy.
  package func utf8(_ handle: StringHandle) -> ArraySlice<UInt8> { bytes[range(handle.index)] }

  /// The text of `handle`, lent to `body`.
  package func withSpan<Result>(_ handle: StringHandle, _ body: (Span<UInt8>) -> Result) -> Result {
    body(bytes.span.extracting(range(handle.index)))
  }

  package func byteCount(_ handle: StringHandle) -> Int { range(handle.index).count }

  func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  /// Puts `text` at the end, whether or not it is there already.
  package mutating func append(_ text: String) -> StringHandle {
    var text = text
    text.withUTF8 { unsafe bytes.append(contentsOf: $0) }
    return close()
  }

  /// As the other, for bytes known to be UTF-8.
  mutating func append(_ text: Span<UInt8>) -> StringHandle {
    // Safe: the pointer is used only inside the closure.
    unsafe text.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    return close()
  }

  mutating func append(_ text: ArraySlice<UInt8>) -> StringHandle {
    bytes.append(contentsOf: text)
    return close()
  }

  private mutating func close() -> StringHandle {
    ends.append(bytes.count)
    // At most 2^32 strings: a profile of more would not fit in memory.
    return StringHandle(UInt32(ends.count - 1))
  }

  mutating func reserve(strings: Int, bytes byteCount: Int) {
    ends.reserveCapacity(strings + 1)
    bytes.reserveCapacity(byteCount)
  }

  /// Whether string `index` has exactly the bytes of `text`.
  func holds(_ text: Span<UInt8>, at index: Int) -> Bool {
    let range = range(index)
    guard range.count == text.count else { return false }
    let known = bytes.span.extracting(range)
    for offset in text.indices where known[offset] != text[offset] { return false }
    return true
  }
}

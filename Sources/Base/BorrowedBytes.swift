extension [UInt8] {
  /// The array's bytes, borrowed for as long as the array is.
  public var borrowedBytes: RawSpan {
    @_lifetime(borrow self) get {
      // Safe: a byte has no padding, so every one of them is initialized.
      let bytes = unsafe span.bytes
      return unsafe _overrideLifetime(bytes, borrowing: self)
    }
  }
}

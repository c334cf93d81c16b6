package import TraceFormat

/// An image to be copied, with its file if there was a way to open it.
package struct ImageRequest: Sendable {
  /// As far as it is known; the copier completes it.
  package var record: ImageRecord
  /// Taken over by whoever copies; -1 for none.
  package var descriptor: Int32
  /// Whose it is, for what has no file.
  package var process: UInt32 = 0
}

/// Takes requests of the recording loop that cost time, to be done beside it.
package protocol ImageCopying: AnyObject {
  /// Copies an image's file into the trace. Called once for an image.
  func copy(_ request: ImageRequest)
  /// Writes the kernel symbols that cover `addresses`.
  func lookUp(kernelAddresses: [UInt64])
}

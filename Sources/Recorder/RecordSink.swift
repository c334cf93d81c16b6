package import TraceFormat

/// Where finished records go: a segment file, or memory in tests. Called from the recording loop and the image copier.
package protocol RecordSink: AnyObject, Sendable {
  func append(_ record: TraceRecord) throws(TraceError)
  /// Puts everything appended so far where a killed recorder leaves it readable.
  func flush() throws(TraceError)
}
extension SegmentWriter: RecordSink {}

import Base
import Glibc
import TestSupport
import Testing
@testable import Uploader

private func append(_ text: String, to path: String) throws {
  let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | O_APPEND)
  try file.write(Array(text.utf8).span.bytes, path: path)
}

@Test func `what was recorded is known the next time, for that destination only`() throws {
  let directory = TemporaryDirectory()
  let trace = directory.path + "/trace.seg"
  let upload = try Samples.upload()
  do {
    let journal = try UploadJournal(besides: trace)
    #expect(!journal.contains(upload, destination: "http://a"))
    journal.record(upload, destination: "http://a")
    #expect(journal.contains(upload, destination: "http://a"))
    #expect(journal.problem == nil)
  }
  let again = try UploadJournal(besides: trace)
  #expect(again.contains(upload, destination: "http://a"))
  #expect(!again.contains(upload, destination: "http://b"))
}

@Test func `a journal cut at any length forgets only the line that was cut`() throws {
  let directory = TemporaryDirectory()
  let trace = directory.path + "/trace.seg"
  let upload = try Samples.upload()
  do {
    let journal = try UploadJournal(besides: trace)
    journal.record(upload, destination: "http://a")
    journal.record(upload, destination: "http://b")
  }
  let bytes = try contents(of: trace + ".upload", limit: 1 << 20)
  let firstLine = try #require(bytes.firstIndex(of: UInt8(ascii: "\n"))) + 1
  for length in 0...bytes.count {
    let known = UploadJournal.keys(Array(bytes[..<length]))
    #expect(known.count == (length == bytes.count ? 2 : length >= firstLine ? 1 : 0))
  }
}

@Test func `after a cut off line the next one starts on its own`() throws {
  let directory = TemporaryDirectory()
  let trace = directory.path + "/trace.seg"
  try append("sent 0123456789abcdef x\nsent 01234", to: trace + ".upload")
  let upload = try Samples.upload()
  do { try UploadJournal(besides: trace).record(upload, destination: "http://a") }
  let keys = UploadJournal.keys(try contents(of: trace + ".upload", limit: 1 << 20))
  #expect(keys.count == 2)
  #expect(keys.contains(0x0123_4567_89ab_cdef))
}

@Test func `garbage in a journal is passed over`() {
  let bytes: [UInt8] = [0xff, 0x00, 0x0a] + Array("sent\nsent zz\nsent 0123456789abcdefg x\nsent 00000000000000aa\n".utf8)
  #expect(UploadJournal.keys(bytes) == [0xaa])
}

@Test func `a second upload of the same trace at the same time is told to wait`() throws {
  let directory = TemporaryDirectory()
  let trace = directory.path + "/trace.seg"
  let first = try UploadJournal(besides: trace)
  #expect(throws: UploadError.busy(path: trace + ".upload")) { _ = try UploadJournal(besides: trace) }
  #expect(access(trace + ".upload", F_OK) == 0)
  _ = first.problem
}

@Test func `a journal with nothing in it leaves no file`() throws {
  let directory = TemporaryDirectory()
  do { _ = try UploadJournal(besides: directory.path + "/trace.seg") }
  #expect(names(in: directory.path).isEmpty)
}

@Test func `where nothing can be written the problem is kept and the upload goes on`() throws {
  let journal = try UploadJournal(besides: "/proc/trace.seg")
  let upload = try Samples.upload()
  journal.record(upload, destination: "http://a")
  #expect(journal.contains(upload, destination: "http://a"))
  #expect(journal.problem != nil)
}

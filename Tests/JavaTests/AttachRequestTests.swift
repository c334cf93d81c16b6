import Java
import Testing

@Suite struct `attach requests and replies` {
  @Test func `version 1 is a command and three arguments, each ended by a NUL`() throws {
    let bytes = try AttachRequest("jcmd", ["VM.version"]).encode(secondVersion: false)
    #expect(bytes == Array("1\0jcmd\0VM.version\0\0\0".utf8))
  }

  @Test func `version 2 counts the bytes of what follows`() throws {
    let bytes = try AttachRequest("jcmd", ["a", "b", "c", "d"]).encode(secondVersion: true)
    #expect(bytes == Array("2\013\0jcmd\0a\0b\0c\0d\0".utf8))
  }

  @Test func `an argument of 1024 bytes fits version 1, one of 1025 is refused before anything is sent`() throws {
    let fits = AttachRequest("jcmd", [String(repeating: "x", count: 1024)])
    #expect(!fits.needsSecondVersion)
    _ = try fits.encode(secondVersion: false)
    let long = AttachRequest("jcmd", [String(repeating: "x", count: 1025)])
    #expect(long.needsSecondVersion)
    #expect(throws: JavaError.argumentTooLong(command: "jcmd", byteCount: 1025, limit: 1024)) { try long.encode(secondVersion: false) }
    _ = try long.encode(secondVersion: true)
  }

  @Test func `a NUL inside an argument would begin another one and is refused`() {
    #expect(throws: JavaError.argumentHasNUL(command: "jcmd")) { try AttachRequest("jcmd", ["a\0b"]).encode(secondVersion: false) }
  }

  @Test func `a reply is a status, a line feed and text`() throws {
    let reply = try AttachReply(Array("-1\nOperation x not recognized!\n".utf8), to: "x")
    #expect(reply.status == -1)
    #expect(reply.text == "Operation x not recognized!\n")
  }

  @Test(arguments: ["", "\n", "abc\n", "HTTP/1.1 400 Bad Request\n", "99999999999999999999\n"])
  func `what is no reply is called so`(_ text: String) {
    #expect(throws: JavaError.self) { try AttachReply(Array(text.utf8), to: "x") }
  }

  @Test func `the status of a loaded library is read in every JDK's words`() throws {
    #expect(try AttachReply(status: 0, text: "return code: 200\n").loadStatus() == 200)
    #expect(try AttachReply(status: 0, text: "0\n").loadStatus() == 0)
    let refused = AttachReply(status: 0, text: "Dynamic agent loading is not enabled. Use -XX:+EnableDynamicAgentLoading\n")
    #expect(throws: JavaError.self) { try refused.loadStatus() }
    #expect(throws: JavaError.self) { try AttachReply(status: -1, text: "x was not loaded.\n").loadStatus() }
  }
}

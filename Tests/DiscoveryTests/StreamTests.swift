import HTTP
import Synchronization
import TestSupport
import Testing
@testable import Discovery

@Suite struct StreamTests {
  private func request(_ url: String) -> HTTPRequest {
    var request = HTTPRequest(method: "GET", url: url)
    request.totalTimeoutMilliseconds = 60_000
    return request
  }

  @Test(arguments: Way.here) func `a body is handed over as it comes`(way: Way) throws {
    let server = try LoopbackServer(answers: [
      .pieces(status: 200, [(0, Array("one\n".utf8)), (300, Array("two\n".utf8)), (300, Array("three\n".utf8))])
    ])
    var pieces: [[UInt8]] = []
    let response = try way.transport().stream(request(server.url)) { piece in
      pieces.append(piece)
      return true
    }
    #expect(response.status == 200 && response.body.isEmpty)
    #expect(pieces.flatMap { $0 } == Array("one\ntwo\nthree\n".utf8))
    #expect(pieces.count > 1)
  }

  @Test(arguments: Way.here) func `whoever has enough does not wait for the rest`(way: Way) throws {
    let server = try LoopbackServer(answers: [.pieces(status: 200, [(0, Array("one\n".utf8)), (30_000, Array("two\n".utf8))])])
    let start = ContinuousClock.now
    var count = 0
    let response = try way.transport().stream(request(server.url)) { _ in
      count += 1
      return false
    }
    #expect(response.status == 200 && count == 1)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test(arguments: Way.here) func `an answer that is no success is kept, not handed over`(way: Way) throws {
    let server = try LoopbackServer(answers: [.pieces(status: 410, [(0, Array("{}".utf8))])])
    let response = try way.transport().stream(request(server.url)) { _ in
      Issue.record("nothing is to be handed over")
      return true
    }
    #expect(response.status == 410 && response.body == Array("{}".utf8))
  }

  @Test(arguments: Way.here) func `a request is stopped while it waits`(way: Way) throws {
    let server = try LoopbackServer(answers: [.pieces(status: 200, [(0, Array("one\n".utf8)), (30_000, [])])])
    let stop = try Waker()
    var asked = request(server.url)
    asked.stopDescriptor = stop.descriptor
    let start = ContinuousClock.now
    #expect(throws: HTTPFailure.self) {
      _ = try way.transport().stream(asked) { _ in
        stop.set()
        return true
      }
    }
    do {
      _ = try way.transport().perform(asked)
      Issue.record("it was to be stopped")
    } catch let error as HTTPFailure {
      #expect(error.kind == .stopped)
    }
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test(arguments: Way.here) func `a server at a path is reached, and a limit of the request holds`(way: Way) throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/s.sock"
    let server = try LoopbackServer(path: path) { request, _ in .respond(status: 200, text: request.headers["host"] ?? "") }
    var asked = request("http://docker/x")
    asked.unixSocketPath = path
    asked.maximumBodyBytes = 3
    let response = try way.transport().perform(asked)
    #expect(response.status == 200 && response.body == Array("doc".utf8))
    #expect(server.requests.map(\.path) == ["/x"])
    asked.unixSocketPath = scratch.path + "/nobody.sock"
    do {
      _ = try way.transport().perform(asked)
      Issue.record("nobody listens there")
    } catch let error as HTTPFailure {
      #expect(error.kind == .unconnected)
    }
  }

  @Test func `bytes without a disk are a file as long as the object lives`() throws {
    var file = InlineFile(Array("pem".utf8))
    let path = try #require(file?.path)
    #expect(try Fixture.bytes(path) == Array("pem".utf8))
    file = nil
    #expect(throws: (any Error).self) { try Fixture.bytes(path) }
  }
}

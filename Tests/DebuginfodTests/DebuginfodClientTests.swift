import Base
import Glibc
import HTTP
import Symbolize
import TestSupport
import Testing
@testable import Debuginfod

/// The two ways a request is made.
enum Way: CaseIterable {
  case library, program

  func transport() throws(HTTPError) -> CurlTransport {
    switch self {
    case .library: try CurlTransport(usesProgram: false)
    case .program: try CurlTransport(libraryNames: [])
    }
  }

  /// The program is not part of what a host must have.
  static let here: [Way] = (try? Way.program.transport()) == nil ? [.library] : allCases
}

@Suite struct DebuginfodClientTests {
  private let scratch: ScratchDirectory
  private let pie: [UInt8]
  private let buildID: BuildID
  private static let pieID = "4983e83b4c2604a7f4eb5add3d487bb03496ac29"

  init() throws {
    scratch = try ScratchDirectory()
    pie = try FixtureBinary.bytes("pie")
    buildID = try #require(BuildID(hex: Self.pieID))
  }

  private var cachePath: String { scratch.path + "/cache/deep" }
  private var cached: String { "\(cachePath)/\(Self.pieID)/debuginfo" }

  private func client(
    _ servers: [String], by way: Way = .library, now: Int = 2_000_000_000,
    _ change: (inout DebuginfodConfiguration) -> Void = { _ in }
  ) -> DebuginfodClient {
    var configuration = DebuginfodConfiguration(servers: servers, cachePath: cachePath)
    change(&configuration)
    return DebuginfodClient(configuration, makeTransport: { () throws(HTTPError) in try way.transport() }, now: { now })
  }

  private func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  @Test(arguments: Way.here) func `a served file is kept where every client looks, and not asked for again`(way: Way) throws {
    let server = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    let first = client([server.url], by: way).find(.debugFile, of: buildID)
    #expect(first.file?.byteCount == pie.count)
    #expect(first.steps.map(\.outcome) == [.notFound, .used])
    #expect(server.requests.map(\.path) == ["/buildid/\(Self.pieID)/debuginfo"])
    #expect(try contents(of: cached, limit: 1 << 24) == pie)
    #expect(status(cached).map { $0.st_mode & 0o777 } == 0o400)
    #expect(DirectoryListing.names(in: "\(cachePath)/\(Self.pieID)") == ["debuginfo"])

    let second = client([server.url], by: way).find(.debugFile, of: buildID)
    #expect(second.file?.byteCount == pie.count)
    #expect(second.steps == [LocatorStep(place: .debuginfodCache, path: cached, outcome: .used)])
    #expect(server.requests.count == 1)
  }

  @Test(arguments: Way.here) func `servers are asked in turn until one has it`(way: Way) throws {
    let without = try LoopbackServer(answers: [.respond(status: 404)])
    let broken = try LoopbackServer(answers: [.respond(status: 500)])
    let with = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    let found = client([without.url, broken.url, with.url], by: way).find(.debugFile, of: buildID)
    #expect(found.file != nil)
    #expect(found.steps.map(\.outcome) == [.notFound, .notFound, .unreachable("answered with status 500"), .used])
  }

  @Test func `what no server has is remembered as elfutils does, for as long as the cache says`() throws {
    let server = try LoopbackServer(answers: [.respond(status: 404)])
    let now = Int(time(nil))
    #expect(client([server.url], now: now).find(.debugFile, of: buildID).file == nil)
    let entry = try #require(status(cached))
    #expect(entry.st_mode & 0o777 == 0)
    #expect(entry.st_size == 0)
    let again = client([server.url], now: now + 500).find(.debugFile, of: buildID)
    guard case .knownMissing(let seconds) = again.steps.last?.outcome else {
      Issue.record("\(again.steps)")
      return
    }
    #expect((499...501).contains(seconds))
    #expect(server.requests.count == 1)
    #expect(client([server.url], now: now + 700).find(.debugFile, of: buildID).steps.map(\.outcome) == [.notFound, .notFound])
    #expect(server.requests.count == 2)
    try scratch.write(Array("5".utf8), to: "cache/deep/cache_miss_s")
    _ = client([server.url], now: now + 60).find(.debugFile, of: buildID)
    #expect(server.requests.count == 3)
  }

  @Test(arguments: Way.here) func `a file with another build ID is neither used nor kept`(way: Way) throws {
    let lying = try LoopbackServer(answers: [.respond(status: 200, body: FixtureBinary.bytes("edges"))])
    let found = client([lying.url], by: way).find(.debugFile, of: buildID)
    #expect(found.file == nil)
    guard case .mismatch(.buildID(let wanted, _)) = found.steps.last?.outcome else {
      Issue.record("\(found.steps)")
      return
    }
    #expect(wanted == buildID)
    #expect(DirectoryListing.names(in: "\(cachePath)/\(Self.pieID)").isEmpty)
  }

  @Test(arguments: Way.here) func `garbage, an empty answer and one cut short are neither used nor kept`(way: Way) throws {
    let head = Array("HTTP/1.1 200 OK\r\nContent-Length: \(pie.count)\r\n\r\n".utf8)
    for answer: LoopbackAnswer in [
      .respond(status: 200, text: "<html>"), .respond(status: 200), .raw(head + pie.prefix(1000)), .raw([1, 2, 3]), .close,
    ] {
      let server = try LoopbackServer(answers: [answer])
      let found = client([server.url], by: way).find(.debugFile, of: buildID)
      #expect(found.file == nil)
      #expect(found.steps.count == 2)
      #expect(DirectoryListing.names(in: "\(cachePath)/\(Self.pieID)").isEmpty)
    }
  }

  @Test(arguments: Way.here) func `a file above the limit is not taken, whether its length is told before or not`(way: Way) throws {
    let told = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    let untold = try LoopbackServer(answers: [.raw(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + pie)])
    for server in [told, untold] {
      let found = client([server.url], by: way) { $0.maximumByteCount = 1000 }.find(.debugFile, of: buildID)
      #expect(found.file == nil)
      #expect(found.steps.last?.outcome == .tooLarge(limit: 1000))
      #expect(DirectoryListing.names(in: "\(cachePath)/\(Self.pieID)").isEmpty)
    }
  }

  @Test(arguments: Way.here) func `a server that is down or does not answer in time is asked once, not once an image`(way: Way) throws {
    let slow = try LoopbackServer(answers: [.after(milliseconds: 10_000, .respond(status: 200, body: pie))])
    let down = "http://127.0.0.1:\(try LoopbackServer.unusedPort())"
    let client = client([down, slow.url], by: way) { $0.stallSeconds = 1 }
    let first = client.find(.debugFile, of: buildID)
    #expect(first.file == nil)
    for step in first.steps.dropFirst() {
      guard case .unreachable = step.outcome else {
        Issue.record("\(step)")
        return
      }
    }
    let other = try #require(BuildID(hex: "00ff"))
    for step in client.find(.debugFile, of: other).steps.dropFirst() {
      guard case .unreachable(let why) = step.outcome else {
        Issue.record("\(step)")
        return
      }
      #expect(why.hasPrefix("it failed before: "))
    }
    #expect(slow.requests.count == 1)
    // Nobody said that it does not exist.
    #expect(status(cached) == nil)
  }

  @Test func `a server that does not answer is asked once by images that are looked for at the same time, too`() throws {
    let slow = try LoopbackServer(answers: [.after(milliseconds: 10_000, .respond(status: 200, body: pie))])
    let client = client([slow.url], by: .library) { $0.stallSeconds = 1 }
    let others = try (1...4).map { try #require(BuildID(hex: "00ff0\($0)00")) }
    let found = parallelMap(count: others.count, workers: others.count) { client.find(.debugFile, of: others[$0]) }
    #expect(found.allSatisfy { $0.file == nil && !$0.steps.isEmpty })
    #expect(slow.requests.count == 1)
  }

  @Test func `offline, the cache serves and nobody is asked`() throws {
    let server = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    let offline = client([server.url]) { $0.isOffline = true }
    #expect(offline.find(.debugFile, of: buildID).steps.last?.outcome == .notAsked("offline"))
    #expect(server.requests.isEmpty)
    _ = client([server.url]).find(.debugFile, of: buildID)
    #expect(offline.find(.debugFile, of: buildID).file != nil)
    #expect(server.requests.count == 1)
  }

  @Test func `a damaged file of the cache is fetched anew`() throws {
    let server = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    _ = client([server.url]).find(.debugFile, of: buildID)
    unlink(cached)
    try scratch.write(Array(pie.prefix(100)), to: "cache/deep/\(Self.pieID)/debuginfo")
    let found = client([server.url]).find(.debugFile, of: buildID)
    #expect(found.file?.byteCount == pie.count)
    #expect(try contents(of: cached, limit: 1 << 24) == pie)
  }

  @Test func `what nobody used for long is removed, once an interval, and nothing else`() throws {
    let server = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    let now = Int(time(nil))
    _ = client([server.url], now: now).find(.debugFile, of: buildID)
    #expect(try contents(of: cachePath + "/max_unused_age_s", limit: 64) == Array("604800".utf8))
    try scratch.write([1], to: "cache/deep/notes")
    let other = try #require(BuildID(hex: "00ff"))
    _ = client([server.url], now: now + 80_000).find(.debugFile, of: other)
    #expect(status(cached) != nil)
    _ = client([server.url], now: now + 700_000).find(.debugFile, of: other)
    #expect(status(cached) == nil)
    #expect(DirectoryListing.names(in: cachePath).contains("notes"))
    #expect(!DirectoryListing.names(in: cachePath).contains(Self.pieID))
  }

  @Test func `a cache that cannot be written is a reason, not a crash`() throws {
    let server = try LoopbackServer(answers: [.respond(status: 200, body: pie)])
    try scratch.write([1], to: "cache")
    let found = client([server.url]).find(.debugFile, of: buildID)
    #expect(found.file == nil)
    #expect(found.steps.last?.description.contains("cannot be kept") == true)
  }

  @Test func `a password in a server's address is not shown`() throws {
    let found = client(["http://user:secret@127.0.0.1:\(try LoopbackServer.unusedPort())/x"]).find(.debugFile, of: buildID)
    #expect(found.steps.last?.path.contains("secret") == false)
    #expect(found.steps.last?.path.hasPrefix("http://127.0.0.1:") == true)
  }
}

@Suite struct DebuginfodConfigurationTests {
  private func configuration(
    _ variables: [String: String], servers: [String] = [], directories: Set<String> = []
  ) -> DebuginfodConfiguration {
    DebuginfodConfiguration(servers: servers, environment: { variables[$0] }, isDirectory: { directories.contains($0) })
  }

  @Test func `the cache is where elfutils has it`() {
    #expect(configuration(["HOME": "/h"]).cachePath == "/h/.cache/debuginfod_client")
    #expect(configuration(["HOME": "/h", "XDG_CACHE_HOME": "/x"]).cachePath == "/x/debuginfod_client")
    let old: Set = ["/h/.debuginfod_client_cache"]
    #expect(configuration(["HOME": "/h", "XDG_CACHE_HOME": "/x"], directories: old).cachePath == "/h/.debuginfod_client_cache")
    #expect(configuration(["HOME": "/h", "DEBUGINFOD_CACHE_PATH": "/c"], directories: old).cachePath == "/c")
  }

  @Test func `servers of the command come before those of the environment, each once`() {
    let found = configuration(["DEBUGINFOD_URLS": "http://a/ ima:enforcing  https://b"], servers: ["https://b/", "http://c"])
    #expect(found.servers == ["https://b", "http://c", "http://a"])
    #expect(configuration([:]).servers.isEmpty)
  }

  @Test func `limits of the environment hold, and nonsense in it does not`() {
    let found = configuration(["DEBUGINFOD_TIMEOUT": "5", "DEBUGINFOD_MAXTIME": "60", "DEBUGINFOD_MAXSIZE": "1000"])
    #expect((found.stallSeconds, found.totalSeconds, found.maximumByteCount) == (5, 60, 1000))
    #expect(found.connectTimeoutSeconds == 5)
    let nonsense = configuration(["DEBUGINFOD_TIMEOUT": "-1", "DEBUGINFOD_MAXTIME": "x", "DEBUGINFOD_MAXSIZE": ""])
    #expect((nonsense.stallSeconds, nonsense.totalSeconds, nonsense.maximumByteCount) == (90, 0, 2 << 30))
  }
}

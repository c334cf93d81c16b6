package import Base
package import HTTP
import ObjectFile
package import Symbolize
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Debug files from the user's debuginfod cache and, when it has none, from servers, whose files it then keeps there.
///
/// What comes from a server is kept only when it is an ELF file with the build ID that was asked for. A server that could not
/// be reached or did not answer in time is not asked again by this client: the wait is one timeout, not one an image.
package final class DebuginfodClient: RemoteDebugFiles {
  private let configuration: DebuginfodConfiguration
  private let makeTransport: @Sendable () throws(HTTPError) -> any HTTPTransport
  private let now: @Sendable () -> Int
  private let state = Mutex(State())
  private let turn = Mutex(())

  private struct State {
    var transport: (any HTTPTransport)?
    /// Why there is none.
    var problem: String?
    /// By server: why it is no longer asked.
    var down: [String: String] = [:]
    var isCleaned = false
  }

  /// - Parameters:
  ///   - makeTransport: called when the first server is asked.
  ///   - now: seconds since 1970.
  package init(
    _ configuration: DebuginfodConfiguration,
    makeTransport: @escaping @Sendable () throws(HTTPError) -> any HTTPTransport = { () throws(HTTPError) in try CurlTransport() },
    now: @escaping @Sendable () -> Int = { time(nil) }
  ) {
    self.configuration = configuration
    self.makeTransport = makeTransport
    self.now = now
  }

  package func find(_ kind: RemoteFileKind, of buildID: BuildID) -> RemoteDebugFile {
    guard let cachePath = configuration.cachePath else { return RemoteDebugFile() }
    let cache = DebuginfodCache(path: cachePath)
    var result = RemoteDebugFile()
    let place = cache.place(kind, buildID)
    switch cache.entry(kind, buildID, now: now()) {
    case .file:
      let found = Self.open(place, buildID)
      result.steps.append(LocatorStep(place: .debuginfodCache, path: place, outcome: found.outcome))
      if let file = found.file {
        result.file = file
        return result
      }
    case .knownMissing(let seconds):
      result.steps.append(LocatorStep(place: .debuginfodCache, path: place, outcome: .knownMissing(secondsAgo: seconds)))
      return result
    case .absent:
      result.steps.append(LocatorStep(place: .debuginfodCache, path: place, outcome: .notFound))
    }
    ask(kind, buildID, cache, &result)
    return result
  }

  private func ask(_ kind: RemoteFileKind, _ buildID: BuildID, _ cache: DebuginfodCache, _ result: inout RemoteDebugFile) {
    var areAllSure = !configuration.servers.isEmpty
    for server in configuration.servers {
      let url = "\(server)/buildid/\(buildID.hex)/\(kind.rawValue)"
      let outcome: LocatorStep.Outcome
      if configuration.isOffline {
        outcome = .notAsked("offline")
      } else {
        // One after another, as the transport has it anyway: who waited for one that failed need not wait for the next.
        (outcome, result.file) = turn.withLock { _ in download(url, from: server, kind, buildID, cache) }
      }
      result.steps.append(LocatorStep(place: .debuginfodServer, path: HTTPAddress.shown(url), outcome: outcome))
      if result.file != nil { return }
      if outcome != .notFound { areAllSure = false }
    }
    if areAllSure { cache.noteMissing(kind, buildID) }
  }

  private func download(
    _ url: String, from server: String, _ kind: RemoteFileKind, _ buildID: BuildID, _ cache: DebuginfodCache
  ) -> (LocatorStep.Outcome, ImageBytes?) {
    let ready = prepare(server, cache)
    guard let transport = ready.transport else { return (.unreachable(ready.why), nil) }
    do throws(SystemCallError) {
      let new = try cache.newFile(kind, buildID)
      let path = new.path
      defer { cache.drop(path) }
      var request = HTTPRequest(method: "GET", url: url, headers: [HTTPHeader("User-Agent", "pyrorec")])
      request.connectTimeoutMilliseconds = configuration.connectTimeoutSeconds * 1000
      request.totalTimeoutMilliseconds = configuration.totalSeconds * 1000
      request.maximumRedirects = 10
      let response: HTTPResponse
      do throws(HTTPFailure) {
        response = try transport.download(
          request,
          to: HTTPDownload(
            descriptor: new.file.rawValue, maximumByteCount: configuration.maximumByteCount,
            stallSeconds: configuration.stallSeconds, stallByteCount: configuration.stallByteCount))
      } catch {
        return (note(error, of: server), nil)
      }
      switch response.status {
      case 200: break
      case 404, 410: return (.notFound, nil)
      default: return (.unreachable("answered with status \(response.status)"), nil)
      }
      let found = Self.open(path, buildID)
      guard found.file != nil else { return (found.outcome, nil) }
      _ = try cache.keep(path, kind, buildID)
      return found
    } catch {
      return (.unreachable("cannot be kept: \(error)"), nil)
    }
  }

  private func prepare(_ server: String, _ cache: DebuginfodCache) -> (transport: (any HTTPTransport)?, why: String) {
    state.withLock { state in
      if let why = state.down[server] { return (nil, why) }
      if let why = state.problem { return (nil, why) }
      if !state.isCleaned {
        state.isCleaned = true
        cache.clean(now: now())
      }
      if state.transport == nil {
        do throws(HTTPError) {
          state.transport = try makeTransport()
        } catch {
          state.problem = error.description
          return (nil, error.description)
        }
      }
      return (state.transport, "")
    }
  }

  /// What a failure means for this file and for the server.
  private func note(_ failure: HTTPFailure, of server: String) -> LocatorStep.Outcome {
    switch failure.kind {
    case .tooLarge: return .tooLarge(limit: UInt64(configuration.maximumByteCount))
    case .broken, .stopped: break
    case .noLibrary, .badRequest, .unresolved, .unconnected, .timedOut, .untrusted, .tls, .notHTTP:
      state.withLock { $0.down[server] = "it failed before: \(failure.message)" }
    }
    return .unreachable(failure.message)
  }

  /// The file at `path` when it is what was asked for.
  private static func open(_ path: String, _ buildID: BuildID) -> (outcome: LocatorStep.Outcome, file: ImageBytes?) {
    let file: ImageBytes
    do throws(SystemCallError) {
      file = ImageBytes(try MappedFile(path: path))
    } catch {
      return (.unreadable(error), nil)
    }
    do throws(MalformedInput) {
      guard let found = try ElfFile(file.bytes).buildID else { return (.mismatch(.unproven), nil) }
      guard found == buildID else { return (.mismatch(.buildID(wanted: buildID, found: found)), nil) }
      return (.used, file)
    } catch {
      return (.malformed(error), nil)
    }
  }
}

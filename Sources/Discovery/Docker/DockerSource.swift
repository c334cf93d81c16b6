import Base
import HTTP

/// `discovery.docker`: the containers that run, by Docker's API, which Podman speaks too.
package struct DockerSource: TargetSource {
  private static let maximumAnswerBytes = 32 << 20
  /// What a try may take even when it is made seldom; and one that somebody waits for.
  private static let patience = 60_000
  private static let shortPatience = 10_000
  private var options: DockerOptions
  private let makeTransport: ServerClient.TransportMaker

  package var isAskedInIntervals: Bool { true }

  package init(_ options: DockerOptions, makeTransport: @escaping ServerClient.TransportMaker = ServerClient.curl) {
    self.options = options
    self.makeTransport = makeTransport
  }

  package func find(until stop: Waker) throws(DiscoveryError) -> Found {
    var hurried = self
    hurried.options.refreshMilliseconds = min(options.refreshMilliseconds, Self.shortPatience)
    let client = try ServerClient(options.access, until: stop, makeTransport)
    return try hurried.find(client, try hurried.negotiate(client))
  }

  package func follow(until stop: Waker, _ tell: @Sendable (Result<Found, DiscoveryError>) -> Void) {
    var connection: (client: ServerClient, version: String)?
    while !stop.isSet {
      do throws(DiscoveryError) {
        let known: (client: ServerClient, version: String)
        if let connection {
          known = connection
        } else {
          let client = try ServerClient(options.access, until: stop, makeTransport)
          known = (client, try negotiate(client))
        }
        connection = known
        tell(.success(try find(known.client, known.version)))
      } catch {
        if error.kind == .stopped { return }
        // Another service may answer next time.
        connection = nil
        tell(.failure(error))
      }
      stop.wait(milliseconds: options.refreshMilliseconds)
    }
  }

  // MARK: Asking

  /// The newest version whose answers are known here.
  private static let newest = (major: 1, minor: 51)

  /// `/vMAJOR.MINOR`: the service's version, or the newest known one; empty where it names none, which is its own then.
  private func negotiate(_ client: ServerClient) throws(DiscoveryError) -> String {
    let response = try client.ask(question("/_ping", limit: 1 << 16))
    guard response.status == 200 else {
      throw DiscoveryError(response, at: client.access.shown + "/_ping", saying: Self.message(response), advice: "Is host a Docker API?")
    }
    let words = response.header("Api-Version")?.split(separator: ".").map { Int($0) } ?? []
    guard words.count == 2, let major = words[0], let minor = words[1], (0...9999).contains(minor), (0...9999).contains(major) else {
      return ""
    }
    let version = (major, minor) < (Self.newest.major, Self.newest.minor) ? (major, minor) : (Self.newest.major, Self.newest.minor)
    return "/v\(version.0).\(version.1)"
  }

  private func find(_ client: ServerClient, _ version: String) throws(DiscoveryError) -> Found {
    let query = PercentEncoding.query([("filters", options.filterQuery)])
    let containers = try list(client, "\(version)/containers/json\(query)")
    let networks = try list(client, "\(version)/networks")
    return DockerTargets(options, networks: networks).make(containers)
  }

  private func list(_ client: ServerClient, _ path: String) throws(DiscoveryError) -> [JSONValue] {
    let question = question(path, limit: Self.maximumAnswerBytes)
    let response = try client.ask(question)
    guard response.status == 200 else {
      throw DiscoveryError(response, at: client.shown(question), saying: Self.message(response))
    }
    let value: JSONValue
    do throws(MalformedInput) {
      value = try JSONReader.read(response.body, limit: Self.maximumAnswerBytes)
    } catch {
      throw DiscoveryError("\(client.shown(question)) answers with no JSON: \(error)")
    }
    // What Go's encoder makes of an empty list.
    if value == .null { return [] }
    guard let elements = value.elements else { throw DiscoveryError("\(client.shown(question)) answers with no list") }
    return elements
  }

  private func question(_ path: String, limit: Int) -> ServerClient.Question {
    ServerClient.Question(
      path, timeoutMilliseconds: min(options.refreshMilliseconds, Self.patience), maximumBodyBytes: limit)
  }

  /// What the service says of an error: `{"message": "…"}`.
  private static func message(_ response: HTTPResponse) -> String {
    (try? JSONReader.read(response.body))?["message"]?.text ?? ""
  }
}

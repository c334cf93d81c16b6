import Base
import HTTP

/// One list of the API: lists it whole, then follows its changes.
struct ObjectList {
  /// Objects in one answer.
  private static let pageSize = 500
  private static let maximumPageBytes = 16 << 20
  /// An object is at most 1.5 MiB in etcd.
  private static let maximumEventBytes = 16 << 20
  private static let maximumPages = 100_000
  private static let listMilliseconds = 60_000
  /// How long the server is asked to keep a watch.
  private static let watchSeconds = 290

  let resource: KubernetesResource
  /// Empty for all.
  let namespace: String
  let selector: KubernetesOptions.Selector

  var key: String { "\(resource.rawValue)/\(namespace)" }

  struct Listed {
    var objects: [String: KubernetesObject] = [:]
    var leftOut = 0
    var version = ""
    /// The API that has it.
    var root = ""
  }

  private func parameters(_ more: [(String, String)]) -> [(String, String)] {
    [("fieldSelector", selector.field), ("labelSelector", selector.label)] + more
  }

  // MARK: List

  func list(_ client: ServerClient) throws(DiscoveryError) -> Listed {
    var last: DiscoveryError?
    for root in resource.roots {
      do throws(DiscoveryError) {
        return try list(client, root)
      } catch {
        guard error.kind == .notFound else { throw error }
        last = last ?? error
      }
    }
    throw last ?? DiscoveryError("\(resource.rawValue) has no address")
  }

  private func list(_ client: ServerClient, _ root: String) throws(DiscoveryError) -> Listed {
    var listed = Listed(root: root)
    var next = ""
    var size = Self.pageSize
    var restarts = 0
    for _ in 0..<Self.maximumPages {
      let page: JSONValue
      do throws(DiscoveryError) {
        page = try self.page(client, root, size: size, next: next)
      } catch {
        // Large objects: fewer of them. A list that took too long to read: from its beginning.
        if error.kind == .tooLarge, size > 1 {
          size = max(1, size / 8)
          continue
        }
        if error.kind == .expired, !next.isEmpty, restarts < 3 {
          restarts += 1
          listed = Listed(root: root)
          next = ""
          continue
        }
        throw error
      }
      for item in page["items"]?.elements ?? [] {
        guard let meta = ObjectMeta(item), let object = KubernetesObject(item, meta, of: resource) else { continue }
        if listed.objects.count < ObjectStore.maximumObjects { listed.objects[meta.key] = object } else { listed.leftOut += 1 }
      }
      listed.version = page["metadata"]?["resourceVersion"]?.text ?? ""
      next = page["metadata"]?["continue"]?.text ?? ""
      if next.isEmpty { return listed }
    }
    throw DiscoveryError("\(client.access.shown)\(resource.path(root: root, namespace: namespace)): the list does not end")
  }

  private func page(_ client: ServerClient, _ root: String, size: Int, next: String) throws(DiscoveryError) -> JSONValue {
    let path = resource.path(root: root, namespace: namespace)
    let question = ServerClient.Question(
      path + PercentEncoding.query(parameters([("limit", String(size)), ("continue", next)])),
      timeoutMilliseconds: Self.listMilliseconds, maximumBodyBytes: Self.maximumPageBytes)
    let response = try client.ask(question)
    guard response.status == 200 else { throw Self.error(response, client.shown(question)) }
    do throws(MalformedInput) {
      return try JSONReader.read(response.body, limit: Self.maximumPageBytes)
    } catch {
      throw DiscoveryError("\(client.shown(question)) answers with no JSON: \(error)")
    }
  }

  private static func error(_ response: HTTPResponse, _ address: String) -> DiscoveryError {
    let message = (try? JSONReader.read(response.body))?["message"]?.text ?? ""
    let advice =
      switch response.status {
      case 401: "The credentials are not taken"
      case 403: "Give the user get, list and watch on what is asked for"
      default: ""
      }
    return DiscoveryError(response, at: address, saying: message, advice: advice)
  }

  // MARK: Watch

  enum Event {
    case set(String, KubernetesObject)
    case gone(String)
  }

  /// Follows the list from `version` on until the server or `take` ends it; `version` is then what to go on from.
  /// - Throws: of kind `expired` when the server does not remember so far back.
  func watch(_ client: ServerClient, _ root: String, from version: inout String, _ take: (Event) -> Void) throws(DiscoveryError) {
    let path = resource.path(root: root, namespace: namespace)
    let question = ServerClient.Question(
      path
        + PercentEncoding.query(
          parameters([
            ("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", version), ("timeoutSeconds", String(Self.watchSeconds)),
          ])),
      timeoutMilliseconds: (Self.watchSeconds + 30) * 1000, maximumBodyBytes: 1 << 20)
    let address = client.shown(question)
    var buffer: [UInt8] = []
    var failure: DiscoveryError?
    var reached = version
    let response = try client.follow(question) { piece in
      var start = 0
      while let end = piece[start...].firstIndex(of: 0x0a) {
        let line = buffer.isEmpty ? Array(piece[start..<end]) : buffer + piece[start..<end]
        buffer.removeAll(keepingCapacity: true)
        start = end + 1
        do throws(DiscoveryError) { try self.read(line, address, &reached, take) } catch { failure = error }
        if failure != nil { return false }
      }
      buffer += piece[start...]
      if buffer.count > Self.maximumEventBytes {
        failure = DiscoveryError("\(address): an event is larger than \(Self.maximumEventBytes >> 20) MiB", .tooLarge)
      }
      return failure == nil
    }
    version = reached
    if let failure { throw failure }
    guard response.status == 200 else { throw Self.error(response, address) }
  }

  private func read(_ line: [UInt8], _ address: String, _ version: inout String, _ take: (Event) -> Void) throws(DiscoveryError) {
    if line.allSatisfy({ $0 == 0x20 || $0 == 0x0d }) { return }
    let event: JSONValue
    do throws(MalformedInput) {
      event = try JSONReader.read(line, limit: Self.maximumEventBytes)
    } catch {
      throw DiscoveryError("\(address) sends no JSON: \(error)")
    }
    let object = event["object"] ?? .null
    let type = event["type"]?.text ?? ""
    if type == "ERROR" {
      let code = Int(clamping: object["code"]?.integer ?? 0)
      throw Self.error(
        HTTPResponse(status: code, body: []), address + ": " + ShownText.shortened(object["message"]?.text ?? "a watch that ends"))
    }
    if let reached = object["metadata"]?["resourceVersion"]?.text, !reached.isEmpty { version = reached }
    if type == "BOOKMARK" { return }
    guard let meta = ObjectMeta(object) else { throw DiscoveryError("\(address) sends an event without an object's name") }
    switch type {
    case "ADDED", "MODIFIED":
      if let known = KubernetesObject(object, meta, of: resource) { take(.set(meta.key, known)) }
    case "DELETED": take(.gone(meta.key))
    default: break
    }
  }
}

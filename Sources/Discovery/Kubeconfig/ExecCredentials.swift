import Base
import Synchronization

/// Runs credential plugins and keeps what they give until it ends:
/// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
final class ExecCredentials: Sendable {
  struct Credential: Hashable, Sendable {
    var token: String?
    /// PEM.
    var certificate: String?
    var key: String?
    /// Seconds since 1970; `nil` until the server refuses it.
    var ends: Int64?
  }

  /// What a kubeconfig says of its plugin.
  struct Plugin: Hashable, Sendable {
    var run: ProgramRun
    var version: String
    var hint: String

    init(_ exec: JSONValue, _ config: Kubeconfig, _ environment: ClusterEnvironment) throws(DiscoveryError) {
      let path = config.path
      guard let command = exec["command"]?.text, !command.isEmpty else { throw DiscoveryError("\(path): exec has no command") }
      let asked = exec["apiVersion"]?.text ?? ""
      guard ["v1", "v1beta1", "v1alpha1"].contains(where: { asked == "client.authentication.k8s.io/" + $0 }) else {
        throw DiscoveryError("\(path): exec has the apiVersion \(ShownText.shortened(asked)), which is not known")
      }
      if exec["interactiveMode"]?.text == "Always" {
        throw DiscoveryError("\(path): \(command) wants somebody to answer it, and nobody is here")
      }
      hint = exec["installHint"]?.text ?? ""
      var variables = environment.inherited
      for pair in exec["env"]?.elements ?? [] {
        guard let name = pair["name"]?.text, !name.isEmpty, !name.contains("=") else { continue }
        variables[name] = pair["value"]?.text ?? ""
      }
      var info = JSONWriter(indent: 0)
      version = asked
      info.object {
        $0.field("apiVersion", asked)
        $0.field("kind", "ExecCredential")
        $0.object("spec") {
          $0.field("interactive", false)
          if exec["provideClusterInfo"] == .boolean(true) {
            $0.object("cluster") {
              for name in ["server", "tls-server-name", "certificate-authority-data", "proxy-url"] {
                if let text = config.cluster[name]?.text { $0.field(name, text) }
              }
              if config.cluster["insecure-skip-tls-verify"] == .boolean(true) { $0.field("insecure-skip-tls-verify", true) }
            }
          }
        }
      }
      variables["KUBERNETES_EXEC_INFO"] = info.text
      // A name alone is looked for in PATH; another one belongs to the file's directory.
      run = ProgramRun(
        command: command.contains("/") ? config.resolved(command) : command,
        arguments: (exec["args"]?.elements ?? []).compactMap(\.text),
        environment: variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
    }
  }

  private let state = Mutex<(plugin: Plugin, credential: Credential)?>(nil)

  /// What the plugin gave, or gives now when that has ended.
  func credential(_ plugin: Plugin, _ environment: ClusterEnvironment) throws(DiscoveryError) -> Credential {
    if let known = state.withLock({ $0 }), known.plugin == plugin, known.credential.ends.map({ environment.now() < $0 }) ?? true {
      return known.credential
    }
    let output: [UInt8]
    do throws(DiscoveryError) {
      output = try environment.runProgram(plugin.run)
    } catch {
      throw plugin.hint.isEmpty ? error : DiscoveryError("\(error). \(ShownText.shortened(plugin.hint))")
    }
    let credential = try Self.read(output, plugin)
    state.withLock { $0 = (plugin, credential) }
    return credential
  }

  /// The server refused it.
  func forget() { state.withLock { $0 = nil } }

  private static func read(_ output: [UInt8], _ plugin: Plugin) throws(DiscoveryError) -> Credential {
    // What it wrote is secret, and never part of an error.
    guard let value = try? JSONReader.read(output), value["kind"]?.text == "ExecCredential" else {
      throw DiscoveryError("\(plugin.run.command) writes no ExecCredential")
    }
    guard value["apiVersion"]?.text == plugin.version else {
      throw DiscoveryError("\(plugin.run.command) writes another apiVersion than \(plugin.version), which it was asked for")
    }
    let status = value["status"] ?? .null
    var credential = Credential()
    credential.token = status["token"]?.text.flatMap { $0.isEmpty ? nil : $0 }
    credential.certificate = status["clientCertificateData"]?.text
    credential.key = status["clientKeyData"]?.text
    guard credential.token != nil || credential.certificate != nil else {
      throw DiscoveryError("\(plugin.run.command) gives neither a token nor a certificate")
    }
    guard (credential.certificate == nil) == (credential.key == nil) else {
      throw DiscoveryError("\(plugin.run.command) gives a certificate or a key without the other")
    }
    if let token = credential.token, !token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
      throw DiscoveryError("\(plugin.run.command) gives a token that no header can hold")
    }
    if let end = status["expirationTimestamp"]?.text {
      guard let seconds = RFC3339.seconds(end) else {
        throw DiscoveryError("\(plugin.run.command) gives an expirationTimestamp that is no time")
      }
      credential.ends = seconds
    }
    return credential
  }
}

extension ClusterEnvironment {
  /// What a plugin gets of this program's environment. All of it, as with kubectl: plugins look for their settings there.
  fileprivate var inherited: [String: String] {
    var variables: [String: String] = [:]
    for text in self.variables() {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else { continue }
      variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return variables
  }
}

/// `2026-11-21T12:00:00Z`, with a fraction or an offset (RFC 3339, section 5.6).
enum RFC3339 {
  /// Since 1970; `nil` for what is no time.
  static func seconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ start: Int, _ count: Int) -> Int64? {
      guard start >= 0, bytes.count >= start + count, bytes[start..<start + count].allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      return Int64(String(decoding: bytes[start..<start + count], as: UTF8.self))
    }
    func has(_ place: Int, _ words: String) -> Bool { place < bytes.count && words.utf8.contains(bytes[place]) }
    guard has(4, "-"), has(7, "-"), has(10, "Tt "), has(13, ":"), has(16, ":"), let year = number(0, 4), let month = number(5, 2),
      let day = number(8, 2), let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    var place = 19
    if has(place, ".") {
      place += 1
      let digits = bytes[place...].prefix { (0x30...0x39).contains($0) }.count
      guard digits > 0 else { return nil }
      place += digits
    }
    var offset: Int64 = 0
    if has(place, "Zz") {
      place += 1
    } else if has(place, "+-"), let hours = number(place + 1, 2), has(place + 3, ":"), let minutes = number(place + 4, 2) {
      offset = (hours * 60 + minutes) * (bytes[place] == UInt8(ascii: "-") ? -60 : 60)
      place += 6
    } else {
      return nil
    }
    guard place == bytes.count else { return nil }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let shifted = month > 2 ? month - 3 : month + 9
    let years = month > 2 ? year : year - 1
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (shifted * 153 + 2) / 5 + day - 1 - 719_468
    return days * 86_400 + hour * 3600 + minute * 60 + second - offset
  }
}

import Base
import HTTP
import Synchronization
import TestSupport
import Testing
@testable import Discovery

private func config(_ user: String, cluster: String = "server: https://h:6443/", context: String = "user: me") -> String {
  """
  apiVersion: v1
  kind: Config
  current-context: here
  contexts:
  - name: other
    context: {cluster: none}
  - name: here
    context:
      cluster: c
      \(context)
  clusters:
  - cluster:
      \(cluster)
    name: c
  users:
  - name: me
    user: \(user)
  """
}

private func access(_ text: String) throws -> ServerAccess { try Kubeconfig(Array(text.utf8), path: "/conf/dir/config").access() }

/// A machine whose programs answer as told, and that counts them.
private final class Machine: Sendable {
  let runs = Mutex<[ProgramRun]>([])
  let now = Mutex<Int64>(1_700_000_000)
  let outputs: Mutex<[String]>
  init(_ outputs: [String] = []) { self.outputs = Mutex(outputs) }

  var environment: ClusterEnvironment {
    var environment = ClusterEnvironment(
      variable: { _ in nil }, now: { self.now.withLock { $0 } },
      runProgram: { (run) throws(DiscoveryError) in
        self.runs.withLock { $0.append(run) }
        return Array(self.outputs.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.utf8)
      })
    environment.variables = { ["PATH=/bin", "MODE=old", "=odd"] }
    return environment
  }
}

private func credential(_ status: String) -> String {
  "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":\(status)}"
}

@Suite struct KubeconfigTests {
  @Test func `every way to be somebody is taken`() throws {
    #expect(try access(config("{token: abc}")).authorization.headers() == [HTTPHeader("Authorization", "Bearer abc")])
    #expect(try access(config("{username: u, password: p}")).authorization.headers() == [HTTPHeader("Authorization", "Basic dTpw")])
    let files = try access(config("{client-certificate: a.crt, client-key: /k.key}"))
    #expect(files.tls.certificateFile == "/conf/dir/a.crt" && files.tls.keyFile == "/k.key" && files.address == "https://h:6443")
    let inline = try access(
      config("{client-certificate-data: \"Y2VydA==\", client-key-data: a2V5}", cluster: "{server: h, certificate-authority-data: Y2E=}"))
    let paths = [inline.tls.authorityFile, inline.tls.certificateFile, inline.tls.keyFile].compactMap { $0 }
    #expect(try paths.map { String(decoding: try Fixture.bytes($0), as: UTF8.self) } == ["ca", "cert", "key"])
    #expect(inline.address == "https://h")
    #expect(
      try access(config("{as: x, as-groups: [g, h]}")).headers == [
        HTTPHeader("Impersonate-User", "x"), HTTPHeader("Impersonate-Group", "g"), HTTPHeader("Impersonate-Group", "h"),
      ])
    #expect(try access(config("{}", cluster: "{server: h, insecure-skip-tls-verify: true}", context: "namespace: n")).tls.isInsecure)
    let scratch = try ScratchDirectory()
    let token = try scratch.write(Array("first\n".utf8), to: "token")
    let rotating = try access(config("{tokenFile: \(token), token: old}"))
    #expect(try rotating.authorization.headers() == [HTTPHeader("Authorization", "Bearer first")])
    try scratch.write(Array("second".utf8), to: "token")
    #expect(try rotating.authorization.headers() == [HTTPHeader("Authorization", "Bearer second")])
  }

  @Test(arguments: [
    ("a: b: c", "/conf/dir/config: line 1: a second `key:` on one line; put the value into quotes"),
    ("a: b", "/conf/dir/config has no current-context: choose one with kubectl config use-context"),
    ("current-context: x", "/conf/dir/config has no x among its contexts"),
    (
      config("{auth-provider: {name: gcp}}"),
      "/conf/dir/config: auth-provider is not supported; Kubernetes itself replaced it by exec plugins"
    ),
    (config("{client-key-data: '!'}"), "/conf/dir/config: client-key-data is no base64"),
    (config("{}", cluster: "server: ''"), "/conf/dir/config: the cluster has no server"),
  ]) func `what is wrong is said`(text: String, expected: String) {
    do {
      _ = try access(text)
      Issue.record("taken: \(text)")
    } catch {
      #expect("\(error)" == expected)
    }
  }

  private func exec(_ more: String = "") -> String {
    "\n      exec:\n        apiVersion: client.authentication.k8s.io/v1\n        command: ./plugin\n        args: [a, 'b c']\n        env:\n        - {name: MODE, value: new}\n        provideClusterInfo: true\n"
      + more
  }

  private func cluster(_ text: String, _ machine: Machine) throws -> (KubeconfigCluster, ScratchDirectory) {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(Array(text.utf8), to: "config")
    return (KubeconfigCluster(path: path, machine.environment), scratch)
  }

  @Test func `a plugin is run once for as long as its token holds, and again when it is refused`() throws {
    let machine = Machine([
      credential("{\"token\":\"t1\",\"expirationTimestamp\":\"2023-11-14T22:13:30Z\"}"), credential("{\"token\":\"t2\"}"),
      credential("{\"token\":\"t3\"}"),
    ])
    let (cluster, scratch) = try cluster(config(exec()), machine)
    defer { withExtendedLifetime(scratch) {} }
    let access = try cluster.connect()
    #expect(try access.authorization.headers() == [HTTPHeader("Authorization", "Bearer t1")])
    let run = try #require(machine.runs.withLock { $0.first })
    #expect(run.command == scratch.path + "/./plugin" && run.arguments == ["a", "b c"])
    #expect(
      run.environment == [
        "KUBERNETES_EXEC_INFO={\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"https://h:6443/\"}}}",
        "MODE=new", "PATH=/bin",
      ])
    machine.now.withLock { $0 += 9 }
    #expect(try access.authorization.headers() == [HTTPHeader("Authorization", "Bearer t1")])
    machine.now.withLock { $0 += 1 }
    #expect(try access.authorization.headers() == [HTTPHeader("Authorization", "Bearer t2")])
    access.authorization.wasRefused()
    #expect(try cluster.connect().authorization.headers() == [HTTPHeader("Authorization", "Bearer t3")])
    #expect(machine.runs.withLock { $0.count } == 3)
  }

  @Test func `a plugin may give a certificate`() throws {
    let machine = Machine([credential("{\"clientCertificateData\":\"CERT\",\"clientKeyData\":\"KEY\"}")])
    let (cluster, scratch) = try cluster(config(exec()), machine)
    let access = try withExtendedLifetime(scratch) { try cluster.connect() }
    #expect(try access.tls.certificateFile.map { try Fixture.bytes($0) } == Array("CERT".utf8))
    #expect(try access.authorization.headers().isEmpty)
  }

  @Test(arguments: [
    "", "{}", "s3cr3t", credential("{}"), credential("{\"token\":\"s3cr3t\\n\"}"),
    credential("{\"token\":\"s3cr3t\",\"expirationTimestamp\":\"soon\"}"), credential("{\"clientKeyData\":\"s3cr3t\",\"token\":\"x\"}"),
    credential("{\"token\":\"s3cr3t\"}").replacing("/v1\"", with: "/v2\""),
  ])
  func `what a plugin should not say is an error without its words`(output: String) throws {
    let (cluster, scratch) = try cluster(config(exec()), Machine([output]))
    do {
      _ = try withExtendedLifetime(scratch) { try cluster.connect() }
      Issue.record("taken: \(output)")
    } catch {
      #expect("\(error)".contains("plugin ") && !"\(error)".contains("s3cr3t"))
    }
  }

  @Test(
    arguments: [
      ("2026-11-21T12:00:00Z", 1_795_262_400), ("1970-01-01t00:00:00.123z", 0), ("2000-02-29T23:59:59+01:30", 951_863_399),
      ("2026-11-21T12:00:00", nil), ("2026-13-01T00:00:00Z", nil), ("", nil),
    ] as [(String, Int64?)])
  func `times are read`(text: String, seconds: Int64?) { #expect(RFC3339.seconds(text) == seconds) }

  @Test func `a program's words, its end and its patience`() throws {
    func run(_ script: String) -> ProgramRun {
      var run = ProgramRun(command: "sh", arguments: ["-c", script], environment: ["A=b", "PATH=/usr/bin:/bin"])
      run.timeoutMilliseconds = 20_000
      return run
    }
    #expect(try run("cat; echo $A; echo no >&2").perform() == Array("b\n".utf8))
    func problem(_ run: ProgramRun) -> String? {
      do throws(DiscoveryError) {
        _ = try run.perform()
        return nil
      } catch {
        return error.description
      }
    }
    #expect(problem(run("echo out; echo 'not so' >&2; exit 3")) == "sh ends with status 3: not so")
    #expect(problem(run("kill -9 $$")) == "sh was ended by signal 9")
    #expect(
      problem(run("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done")) == "sh writes more than 1 MiB")
    var slow = run("sleep 100 & sleep 100")
    slow.timeoutMilliseconds = 100
    #expect(problem(slow) == "sh has not ended after 0 s")
    #expect(problem(ProgramRun(command: "/no/such/program", arguments: [], environment: []))?.contains("/no/such/program") == true)
  }

  @Test func `a pod's own credentials are read anew, and missing ones are said`() throws {
    let scratch = try ScratchDirectory()
    var environment = ClusterEnvironment(
      variable: { ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"][$0] }, now: { 0 }, runProgram: { _ in [] })
    environment.serviceAccountPath = scratch.path
    #expect(throws: DiscoveryError.self) { try InCluster(environment).connect() }
    try scratch.write(Array("one".utf8), to: "token")
    try scratch.write(Array("ca".utf8), to: "ca.crt")
    try scratch.write(Array("shop\n".utf8), to: "namespace")
    let access = try InCluster(environment).connect()
    #expect(access.address == "https://[fd00::1]:443" && access.tls.authorityFile == scratch.path + "/ca.crt")
    try scratch.write(Array("two".utf8), to: "token")
    #expect(try access.authorization.headers() == [HTTPHeader("Authorization", "Bearer two")])
    #expect(try InCluster(environment).ownNamespace() == "shop")
    environment.variable = { _ in nil }
    #expect(throws: DiscoveryError.self) { try InCluster(environment).connect() }
  }
}

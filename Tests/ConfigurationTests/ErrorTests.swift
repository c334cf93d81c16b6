import Configuration
import Testing

struct ErrorTests {
  private static let write = "pyroscope.write \"w\" { endpoint { url = \"http://h:4040\" } }\n"
  private static let process = "discovery.process \"p\" {}\n"

  @Test func `an error shows the line with its neighbours and what is meant`() {
    let text = "discovery.process \"x\" {\n\trefresh = \"1s\"\n}\n"
    #expect(
      Reading.errors(text) == """
        Error: test.alloy:2:2: unrecognized attribute name "refresh"

        1 | discovery.process "x" {
        2 |     refresh = "1s"
          |     ^^^^^^^^^^^^^^
        3 | }

        """)
  }

  @Test func `an error over several lines has a rail`() {
    let text = "pyroscope.write \"w\" {\n  external_labels = [\n    1,\n  ]\n}\n"
    #expect(
      Reading.errors(text) == """
        Error: test.alloy:2:21: value should be object, got array

        1 |   pyroscope.write "w" {
        2 |     external_labels = [
          |  _____________________^
        3 | |     1,
        4 | |   ]
          | |___^
        5 |   }

        """)
  }

  @Test(arguments: [
    ("x = 1", "1:1: unrecognized attribute x"),
    ("foo.bar \"x\" {}", "1:1: cannot find the definition of component name \"foo.bar\""),
    ("discovery.process {}", "1:1: component \"discovery.process\" must have a label"),
    ("discovery.process \"a\" {}\ndiscovery.process \"a\" {}", "2:1: block discovery.process.a already declared at test.alloy:1:1"),
    ("discovery.process \"a-b\" {}", "1:19: expected block label to be a valid identifier, but got \"a-b\""),
    ("discovery.process a {}", "1:19: expected block label, got IDENT"),
    ("discovery.process \"a\" {\n  a.b = 1\n}", "2:3: attribute names may only consist of a single identifier with no \".\""),
    ("discovery.process \"a\" {\n  b \"c\" = 1\n}", "2:5: attribute names may not have labels"),
    ("discovery.process \"a\" {\n  join = b \"c\" {}\n}", "2:10: cannot use a block as an expression"),
    ("discovery.process \"a\" {\n  join = [1 2]\n}", "2:13: missing ',' in expression list"),
    ("discovery.process \"a\" {\n  join = [{a = 1 b = 2}]\n}", "2:18: missing ',' in field list"),
    ("discovery.process \"a\" {\n  refresh_interval = '1s'\n}", "2:22: illegal single-quoted string; use double quotes"),
    ("discovery.process \"a\" {\n  refresh_interval = \"1s\n}", "2:22: string literal not terminated"),
    ("discovery.process \"a\" {\n  nope = 1\n}", "2:3: unrecognized attribute name \"nope\""),
    ("discovery.process \"a\" {\n  nope {}\n}", "2:3: unrecognized block name \"nope\""),
    ("discovery.process \"a\" {\n  join = []\n  join = []\n}", "3:3: attribute \"join\" may only be provided once"),
    (
      "discovery.process \"a\" {\n  discover_config {}\n  discover_config {}\n}",
      "3:3: block \"discover_config\" may only be specified once"
    ),
    ("discovery.process \"a\" {\n  discover_config = {}\n}", "2:3: \"discover_config\" must be a block, but is used as an attribute"),
    ("discovery.process \"a\" {\n  join {}\n}", "2:3: \"join\" must be an attribute, but is used as a block"),
    ("pyroscope.ebpf \"a\" {}", "1:1: missing required attribute \"forward_to\""),
    (
      "pyroscope.ebpf \"a\" {\n  forward_to = [pyroscope.write.x.receiver]\n}",
      "2:17: component \"pyroscope.write.x.receiver\" does not exist or is out of scope"
    ),
    ("pyroscope.write \"w\" {}\npyroscope.ebpf \"a\" {\n  forward_to = [pyroscope.write.w.nope]\n}", "3:17: field \"nope\" does not exist"),
    (
      "pyroscope.write \"w\" {}\npyroscope.ebpf \"a\" {\n  forward_to = [\"w\"]\n}",
      "3:17: \"w\" should be capsule(\"ProfilesReceiver\"), got string"
    ),
    ("discovery.process \"a\" {\n  refresh_interval = 60\n}", "2:22: 60 should be string, got number"),
    ("discovery.process \"a\" {\n  refresh_interval = \"60\"\n}", "2:22: time: missing unit in duration \"60\""),
    ("discovery.process \"a\" {\n  refresh_interval = \"60x\"\n}", "2:22: time: unknown unit \"x\" in duration \"60x\""),
    (
      "discovery.relabel \"a\" {\n  targets = discovery.relabel.b.output\n}\ndiscovery.relabel \"b\" {\n  targets = discovery.relabel.a.output\n}",
      "1:1: cycle: discovery.relabel.a, discovery.relabel.b"
    ),
    ("discovery.relabel \"a\" {\n  targets = [{\"x\" = []}]\n}", "2:21: [] should be string, got array"),
    ("discovery.kubernetes \"a\" {\n  role = \"pods\"\n}", "2:3: unknown Kubernetes SD role \"pods\""),
    ("discovery.docker \"a\" {\n  host = 1 + \"a\"\n}", "2:14: \"a\" should be number, got string"),
    ("discovery.docker \"a\" {\n  host = sys.env(\"A\", \"B\")\n}", "2:10: expected 1 args, got 2"),
    ("discovery.docker \"a\" {\n  host = \"unix:///x\" +\n}", "3:1: expected expression, got }"),
    ("discovery.docker \"a\" {\n  host = \"unix:///x\"", "1:22: expected }, got EOF"),
    ("}", "1:1: expected attribute or block name, got }"),
  ])
  func `an error has its place and Alloy's words`(text: String, message: String) {
    #expect(Reading.messages(text).first == message, "\(Reading.errors(text))")
  }

  @Test(arguments: [
    ("sample_rate = 0", "sample_rate must be between"), ("off_cpu_threshold = 2", "Value must be between [0..1]"),
    ("comm = \"x\"", "must be one of"), ("probe_links = [\"uprobe:x\"]", "invalid probe link"),
    ("sample_rate = \"often\"", "should be number"),
    ("collect_interval = \"0s\"", "collect_interval must be more than 0"), ("verbose_mode = \"true\"", "should be bool, got string"),
  ])
  func `pyroscope.ebpf refuses what cannot be done`(line: String, reason: String) {
    let text = Self.write + "pyroscope.ebpf \"e\" {\n  forward_to = [pyroscope.write.w.receiver]\n  \(line)\n}\n"
    #expect(Reading.messages(text).first?.contains(reason) == true, "\(Reading.errors(text))")
  }

  @Test(arguments: [
    (
      "basic_auth { username = \"u\" }\n bearer_token = \"t\"",
      "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured"
    ),
    ("authorization { type = \"basic\" }", "authorization type cannot be set to \"basic\""),
    ("no_proxy = \"x\"", "proxy_url must also be configured"),
    ("tls_config { cert_file = \"c\" }", "exactly one of key_pem or key_file"),
    ("tls_config { key_file = \"c\" }", "exactly one of cert_pem or cert_file"),
    ("tls_config { ca_file = \"c\"\n ca_pem = \"d\" }", "at most one of ca_pem and ca_file"),
    ("oauth2 { client_id = \"c\" }", "token_url must be configured"),
    ("basic_auth { password = \"a\"\n password_file = \"b\" }", "at most one of basic_auth password & password_file"),
    ("tls_config { min_version = \"TLS9\" }", "must be one of"), ("remote_timeout = \"0s\"", "must be more than 0"),
    ("max_backoff_retries = -1", "must not be negative"),
  ])
  func `an endpoint refuses what contradicts itself`(lines: String, reason: String) {
    let text = "pyroscope.write \"w\" {\n  endpoint {\n    url = \"http://h:4040\"\n    \(lines)\n  }\n}\n"
    #expect(Reading.messages(text).contains { $0.contains(reason) }, "\(Reading.errors(text))")
  }

  @Test func `all errors of a file are shown at once`() {
    let text = """
      discovery.process "p" {
        nope = 1
        refresh_interval = "x"
      }
      discovery.relabel "r" {
        targets = discovery.process.q.targets
        rule {
          action = "kep"
        }
        rule {
          regex = "("
          target_label = "t"
        }
      }
      pyroscope.ebpf "e" {
        sample_rate = 0
      }
      """
    #expect(
      Reading.messages(text) == [
        "2:3: unrecognized attribute name \"nope\"", "3:22: time: invalid duration \"x\"",
        "6:13: component \"discovery.process.q.targets\" does not exist or is out of scope",
        "8:5: unrecognized action type \"kep\"", "11:5: error parsing regexp: missing closing ): `(`",
        "15:1: missing required attribute \"forward_to\"",
      ])
  }

  @Test func `a secret is in no message`() {
    let text = """
      pyroscope.write "w" {
        endpoint {
          url = "http://user:s3cr3t-url@h:4040"
          headers = {"X-Token" = "s3cr3t-header"}
          nope = 1
          basic_auth {
            password = "s3cr3t-password" + 1
            username = convert.nonsensitive(5)
          }
          bearer_token = ["s3cr3t-bearer"]
        }
      }
      """
    let errors = Reading.errors(text)
    #expect(errors.contains("nope") && errors.contains("password"), "\(errors)")
    #expect(!errors.contains("s3cr3t"), "\(errors)")
  }

  @Test func `blocks that people have around these components are accepted`() {
    let text = """
      logging {
        level  = "debug"
        format = "logfmt"
      }
      livedebugging { enabled = true }
      http { }
      tracing { sampling_fraction = 0.1 }
      remotecfg { url = "http://x" }

      """
    #expect(Reading.errors(text + Self.process).isEmpty)
  }

  @Test func `a changed configuration gives a located error or a valid result`() throws {
    let originals = try ["kubernetes.alloy", "docker.alloy", "java.alloy"].map { Array(try Reading.fixture($0).utf8) }
    let pieces = [
      "{", "}", "[", "]", "(", ")", "\"", "`", "'", "=", ",", ".", "\n", "//", "/*", "*/", "\\", "\0", "é", "\u{ff}", "-", "!", "1e999",
      "null", "a.b", "x = ", "\t",
    ]
    var state: UInt64 = 1
    func random(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % max(limit, 1)
    }
    var wrong = 0
    for round in 0..<1200 {
      var bytes = originals[round % originals.count]
      for _ in 0...random(3) {
        let place = random(bytes.count)
        switch random(5) {
        case 0: bytes.removeSubrange(place..<min(place + 1 + random(40), bytes.count))
        case 1: bytes.insert(contentsOf: Array(pieces[random(pieces.count)].utf8), at: place)
        case 2: bytes[place] = UInt8(random(256))
        case 3: bytes = Array(bytes[..<place])
        default: bytes.insert(contentsOf: bytes[place..<min(place + random(60), bytes.count)], at: random(bytes.count))
        }
        if bytes.isEmpty { break }
      }
      let errors = Reading.errors(bytes)
      if errors.isEmpty { continue }
      wrong += 1
      #expect(errors.hasPrefix("Error: test.alloy:"), "\(errors)")
    }
    #expect(wrong > 500)
  }

  @Test(arguments: ["(", "[", "{a=", "-", "!", "1 + (", "f("]) func `nesting without end is an error`(piece: String) {
    let text = "discovery.process \"p\" {\n  join = " + String(repeating: piece, count: 50_000) + "\n}"
    #expect(Reading.errors(text).hasPrefix("Error: test.alloy:"))
  }

  @Test func `a value of very many operators is an error or a value`() {
    let text = "discovery.docker \"p\" {\n  host = \"unix:///\"" + String(repeating: " + \"a\"", count: 50_000) + "\n}"
    #expect(Reading.errors(text).contains("operators in one value"))
  }
}

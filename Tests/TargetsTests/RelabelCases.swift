import Targets

/// A rule, a target and what becomes of it; `nil` is dropped.
struct RelabelCase: Sendable, CustomStringConvertible {
  var fields: RelabelRule.Fields
  var target: LabelSet
  var expected: LabelSet?

  var description: String {
    "\(fields.action) \(fields.sourceLabels) '\(fields.separator)' /\(fields.regex)/ -> \(fields.targetLabel) = '\(fields.replacement)' on \(target)"
  }

  func run() throws -> LabelSet? {
    var relabeler = Relabeler([try RelabelRule(fields)])
    guard case .kept(let labels) = relabeler.apply(to: target) else { return nil }
    return labels
  }

  static func fields(
    _ action: String, _ sources: [String] = [], regex: String = "(.*)", target: String = "", replacement: String = "$1",
    separator: String = ";", modulus: UInt64 = 0
  ) -> RelabelRule.Fields {
    RelabelRule.Fields(
      action: action, sourceLabels: sources, separator: separator, regex: regex, targetLabel: target, replacement: replacement,
      modulus: modulus)
  }
}

struct InvalidRule: Sendable {
  var fields: RelabelRule.Fields
  var reason: String
}

enum RelabelCases {
  private typealias F = RelabelCase

  static let all: [RelabelCase] = replace + templates + unicode + selection + hashing + casing + names

  /// `replace` of `a` (and `b`) into `t`: regex, replacement, values, what `t` is after; `nil` is absent.
  private static func into(
    _ regex: String, _ replacement: String, _ a: String, _ t: String?, before: String = "", b: String? = nil, separator: String = ";"
  ) -> RelabelCase {
    var target: LabelSet = ["a": a, "t": before]
    if let b { target["b"] = b }
    var expected = target
    expected["t"] = t
    return RelabelCase(
      fields: F.fields(
        "replace", b == nil ? ["a"] : ["a", "b"], regex: regex, target: "t", replacement: replacement, separator: separator),
      target: target, expected: expected)
  }

  private static let replace: [RelabelCase] = [
    into("(.*)", "$1", "v", "v"), into("(.*)", "$1", "", nil, before: "old"), into("(.*)", "$1", "", nil),
    into("(.+)", "$1", "", "old", before: "old"), into("v", "new", "v", "new", before: "old"),
    into("v", "new", "w", "old", before: "old"), into("v", "new", "vv", nil), into("v", "new", "xv", nil),
    into("v", "", "v", nil, before: "old"), into("v.*", "x", "value", "x"), into(".*e", "x", "value", "x"),
    into("a|b", "x", "b", "x"), into("a|b", "x", "ab", nil), into("a|ab", "x", "ab", "x"),
    into("(a|ab)(c|bcd)?", "[$1][$2]", "abcd", "[a][bcd]"),
    into("(.*);(.*)", "$1-$2", "1", "1-2", b: "2"), into("(.*)@(.*)", "ebpf/${1}/${2}", "ns", "ebpf/ns/c", b: "c", separator: "@"),
    into("(.*)", "$1", "1", "12", b: "2", separator: ""), into("(.*)", "$1", "1", "1;2", b: "2"), into("1;", "x", "1", "x", b: ""),
    into(";", "x", "", "x", b: ""), into("(.*)", "$1", "", ";", b: ""), into("([^:]+)(?::\\d+)?", "${1}:9090", "host:80", "host:9090"),
    into("([^:]+)(?::\\d+)?", "${1}:9090", "host", "host:9090"), into("a.b", "x", "a\nb", "x"), into("(?-s:a.b)", "x", "a\nb", nil),
    into("a.*", "x", "a\n\n", "x"), into("^v$", "x", "v", "x"), into("^v", "x", "vv", nil), into("(?i)VALUE", "x", "value", "x"),
    into("(?i:v)alue", "x", "Value", "x"), into("(?i:v)alue", "x", "VALUE", nil), into("\\d{2,3}", "x", "12", "x"),
    into("\\d{2,3}", "x", "1234", nil),
    into("[[:alpha:]]+", "x", "abc", "x"), into("\\Qa.b\\E", "x", "a.b", "x"), into("\\Qa.b\\E", "x", "axb", nil),
    into("a\\.b", "x", "axb", nil),
    into("(a*)(a*)", "$1,$2", "aaa", "aaa,"), into("(a*?)(a*)", "$1,$2", "aaa", ",aaa"), into("(?U)(a*)(a*)", "$1,$2", "aaa", ",aaa"),
    into("(a)|(b)", "[$1$2]", "b", "[b]"),
    into("(a+)+", "x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", nil), into("(.*)", "static", "anything", "static"),
    into("()", "empty", "", "empty"), into("", "x", "", "x"), into("", "x", "v", nil), into(".*", "$0", "all", "all"),
    RelabelCase(fields: F.fields("replace", [], target: "t", replacement: "c"), target: ["a": "1"], expected: ["a": "1", "t": "c"]),
    RelabelCase(fields: F.fields("replace", ["none"], target: "t"), target: ["a": "1", "t": "2"], expected: ["a": "1"]),
    RelabelCase(fields: F.fields("replace", ["a"], target: "a", replacement: "${1}${1}"), target: ["a": "1"], expected: ["a": "11"]),
    RelabelCase(
      fields: F.fields("replace", ["a", "b", "c"], target: "t", separator: "/"), target: ["a": "1", "c": "3"],
      expected: ["a": "1", "c": "3", "t": "1//3"]),
    RelabelCase(
      fields: F.fields("replace", ["a", "b", "c"], regex: "1;2;3", target: "t", replacement: "x"), target: ["a": "1", "b": "2", "c": "3"],
      expected: ["a": "1", "b": "2", "c": "3", "t": "x"]),
  ]

  private static let templates: [RelabelCase] = [
    into("(.*)", "$1x", "v", nil, before: "old"), into("(.*)", "${1}x", "v", "vx"), into("(.*)", "$$", "v", "$"),
    into("(.*)", "$$1", "v", "$1"),
    into("(.*)", "$", "v", "$"), into("(.*)", "$-$1", "v", "$-v"), into("(.*)", "${1", "v", "${1"), into("(.*)", "${}", "v", "${}"),
    into("(.*)", "${a-b}", "v", "${a-b}"), into("(.*)", "a$2b", "v", "a"), into("(.*)", "a${2}b", "v", "ab"), into("(.*)", "$01", "v", nil),
    into("(.*)", "${01}z", "v", "z"), into("(.*)", "$0", "v", "v"), into("(?P<n>.)(.*)", "$n", "vw", "v"),
    into("(?P<n>.)(.*)", "${n}${2}", "vw", "vw"),
    into("(?<n>.)(.*)", "$2$n", "vw", "wv"), into("(?P<n>.*)", "${none}", "v", nil), into("(.)(.)(.)", "$3$2$1", "abc", "cba"),
    into("(.)?b", "[$1]", "b", "[]"), into("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)", "${10}$1", "abcdefghij", "ja"),
    RelabelCase(
      fields: F.fields("replace", ["a"], regex: "(.*)-(.*)", target: "${1}", replacement: "$2"), target: ["a": "name-value"],
      expected: ["a": "name-value", "name": "value"]),
    RelabelCase(
      fields: F.fields("replace", ["a"], regex: "(.*)-(.*)", target: "x_$1", replacement: "$2"), target: ["a": "n-v"],
      expected: ["a": "n-v", "x_n": "v"]),
    RelabelCase(
      fields: F.fields("replace", ["a"], regex: "(.*)-(.*)", target: "$1", replacement: "$2"), target: ["a": "-v"], expected: ["a": "-v"]),
    RelabelCase(fields: F.fields("replace", ["a"], target: "$9", replacement: "x"), target: ["a": "v"], expected: ["a": "v"]),
    RelabelCase(
      fields: F.fields("replace", ["a"], target: "with.dots and blanks"), target: ["a": "v"],
      expected: ["a": "v", "with.dots and blanks": "v"]),
  ]

  private static let unicode: [RelabelCase] = [
    into(".", "x", "é", "x"), into("..", "x", "é", nil), into(".", "x", "日", "x"), into(".", "x", "🦊", "x"),
    into("(.)(.*)", "$2$1", "日本語", "本語日"),
    into("[à-ü]+", "x", "éü", "x"), into("\\pL+", "x", "日é", "x"), into("\\p{Lu}", "x", "É", "x"), into("\\P{Lu}", "x", "É", nil),
    into("(?i)É", "x", "é", "x"), into("(?i)k", "x", "\u{212a}", "x"), into("(?i)σ", "x", "ς", "x"), into("\\x{65e5}", "x", "日", "x"),
    into("[^a]", "x", "日", "x"), into("\\w", "x", "é", nil), into("日本", "東京-$0", "日本", "東京-日本"), into(".*\\bb", "x", "a-b", "x"),
    into(".*\\bb", "x", "éb", "x"),
    into("\\Bé", "x", "é", "x"), into("\\bé", "x", "é", nil),
  ]

  private static func select(_ action: String, _ sources: [String], _ regex: String, _ target: LabelSet, _ isKept: Bool) -> RelabelCase {
    RelabelCase(fields: F.fields(action, sources, regex: regex), target: target, expected: isKept ? target : nil)
  }
  private static func compare(_ action: String, _ sources: [String], _ target: LabelSet, _ isKept: Bool) -> RelabelCase {
    RelabelCase(fields: F.fields(action, sources, target: "t"), target: target, expected: isKept ? target : nil)
  }

  private static let selection: [RelabelCase] = [
    select("keep", ["a"], "v", ["a": "v"], true), select("keep", ["a"], "v", ["a": "vv"], false),
    select("keep", ["a"], "v", ["b": "v"], false),
    select("keep", ["a"], "", ["b": "v"], true), select("keep", ["a"], "(.*)", ["a": "v"], true),
    select("keep", [], "(.*)", ["a": "v"], true),
    select("keep", [], ".+", ["a": "v"], false), select("keep", ["a", "b"], "1;2", ["a": "1", "b": "2"], true),
    select("keep", ["a"], ".*/java$", ["a": "/usr/bin/java"], true),
    select("keep", ["a"], ".*/java$", ["a": "/usr/bin/javac"], false), select("drop", ["a"], "v", ["a": "v"], false),
    select("drop", ["a"], "v", ["a": "w"], true),
    select("drop", ["a"], "Succeeded|Failed", ["a": "Failed"], false), select("drop", ["a"], "Succeeded|Failed", ["a": "Running"], true),
    select("drop", ["a"], "Succeeded|Failed", ["b": "x"], true), select("drop", ["a"], "", ["b": "x"], false),
    select("drop", ["a"], "(.*)", ["a": "x"], false),
    compare("keepequal", ["a"], ["a": "1", "t": "1"], true), compare("keepequal", ["a"], ["a": "1", "t": "2"], false),
    compare("keepequal", ["a"], ["b": "1"], true),
    compare("keepequal", ["a"], ["a": "1"], false), compare("keepequal", ["a", "b"], ["a": "1", "b": "2", "t": "1;2"], true),
    compare("keepequal", ["a", "b"], ["a": "1", "b": "2", "t": "12"], false),
    compare("dropequal", ["a"], ["a": "1", "t": "1"], false), compare("dropequal", ["a"], ["a": "1", "t": "2"], true),
    compare("dropequal", ["a"], ["b": "1"], false),
    compare("dropequal", ["a", "b"], ["a": "1", "b": "2", "t": "1;2"], false), compare("dropequal", ["a"], ["t": "1"], true),
    compare("keepequal", [], ["a": "1"], true),
  ]

  /// The expected numbers are md5sum's: the last eight bytes of the sum, big-endian, modulo.
  private static func hash(_ value: String, _ modulus: UInt64, _ expected: String) -> RelabelCase {
    RelabelCase(
      fields: F.fields("hashmod", ["a"], target: "t", modulus: modulus), target: ["a": value],
      expected: LabelSet(["a": value, "t": expected]))
  }
  private static let hashing: [RelabelCase] = [
    hash("foo", 1000, "696"), hash("foo", 2, "0"), hash("", 7, "1"), hash("é", 100, "23"),
    hash(String(repeating: "a", count: 200), 1 << 63, "3003000378012823148"), hash("10.0.0.1:8080", 4, "0"),
    RelabelCase(
      fields: F.fields("hashmod", ["a", "b"], target: "t", modulus: 1000), target: ["a": "foo", "b": "bar"],
      expected: ["a": "foo", "b": "bar", "t": "750"]),
    RelabelCase(fields: F.fields("hashmod", ["a"], target: "$1", modulus: 1), target: ["a": "foo"], expected: ["a": "foo", "$1": "0"]),
  ]

  private static func change(_ action: String, _ value: String, _ expected: String?) -> RelabelCase {
    RelabelCase(
      fields: F.fields(action, ["a"], target: "t"), target: ["a": value, "t": "old"],
      expected: LabelSet(["a": value, "t": expected ?? ""]))
  }
  private static let casing: [RelabelCase] = [
    change("lowercase", "FooBAR", "foobar"), change("lowercase", "", nil), change("lowercase", "ÉΣ", "éσ"), change("lowercase", "İ", "i"),
    change("uppercase", "FooBAR", "FOOBAR"), change("uppercase", "", nil), change("uppercase", "éσ", "ÉΣ"),
    change("uppercase", "straße", "STRAßE"),
    RelabelCase(fields: F.fields("uppercase", ["a", "b"], target: "a"), target: ["a": "x", "b": "y"], expected: ["a": "X;Y", "b": "y"]),
    RelabelCase(fields: F.fields("lowercase", ["none"], target: "t"), target: ["a": "x"], expected: ["a": "x"]),
    RelabelCase(fields: F.fields("lowercase", ["a"], regex: "no match", target: "t"), target: ["a": "X"], expected: ["a": "X", "t": "x"]),
  ]

  private static func map(_ regex: String, _ replacement: String, _ target: LabelSet, _ expected: LabelSet) -> RelabelCase {
    RelabelCase(fields: F.fields("labelmap", regex: regex, replacement: replacement), target: target, expected: expected)
  }
  private static func prune(_ action: String, _ regex: String, _ target: LabelSet, _ expected: LabelSet) -> RelabelCase {
    RelabelCase(fields: F.fields(action, regex: regex), target: target, expected: expected)
  }
  private static let names: [RelabelCase] = [
    map("__meta_pod_label_(.+)", "$1", ["__meta_pod_label_app": "x"], ["__meta_pod_label_app": "x", "app": "x"]),
    map("__meta_pod_label_(.+)", "$1", ["__meta_pod_label_": "x"], ["__meta_pod_label_": "x"]),
    map("__meta_(.+)", "$1", ["other": "x"], ["other": "x"]),
    map("m_(.+)", "k_$1", ["m_a": "1", "m_b": "2"], ["m_a": "1", "m_b": "2", "k_a": "1", "k_b": "2"]),
    map("m_(.+)", "app", ["m_a": "1", "m_b": "2"], ["m_a": "1", "m_b": "2", "app": "2"]),
    map("m_(.+)", "$1", ["m_a": "1", "a": "old"], ["m_a": "1", "a": "1"]),
    map("(m_)(.+)", "${1}m_$2", ["m_a": "1"], ["m_a": "1", "m_m_a": "1"]), map("m_.+", "x", [:], [:]),
    map("m_(.+)", "${2}", ["m_a": "1"], ["m_a": "1"]),
    prune("labeldrop", "__.*", ["__a": "1", "b": "2"], ["b": "2"]), prune("labeldrop", "b", ["ab": "1", "b": "2"], ["ab": "1"]),
    prune("labeldrop", "(.*)", ["a": "1"], [:]),
    prune("labeldrop", "none", ["a": "1"], ["a": "1"]), prune("labelkeep", "a|b", ["a": "1", "b": "2", "c": "3"], ["a": "1", "b": "2"]),
    prune("labelkeep", "a.*", ["__process_pid__": "1", "ab": "2"], ["ab": "2"]),
    prune("labelkeep", "(.*)", ["a": "1"], ["a": "1"]), prune("labelkeep", "none", ["a": "1"], [:]),
  ]

  static let invalid: [InvalidRule] = [
    InvalidRule(fields: F.fields("relabel"), reason: "unrecognized action type \"relabel\""),
    InvalidRule(fields: F.fields("Keep"), reason: "unrecognized action type"),
    InvalidRule(fields: F.fields(""), reason: "unrecognized action type"),
    InvalidRule(fields: F.fields("replace", ["a"]), reason: "'target_label'"),
    InvalidRule(fields: F.fields("hashmod", ["a"], target: "t"), reason: "non-zero modulus"),
    InvalidRule(fields: F.fields("hashmod", ["a"], modulus: 2), reason: "'target_label'"),
    InvalidRule(fields: F.fields("lowercase", ["a"]), reason: "'target_label'"),
    InvalidRule(fields: F.fields("uppercase", ["a"]), reason: "'target_label'"),
    InvalidRule(fields: F.fields("lowercase", ["a"], target: "t", replacement: "x"), reason: "'replacement' can not be set"),
    InvalidRule(fields: F.fields("uppercase", ["a"], target: "t", replacement: "x"), reason: "'replacement' can not be set"),
    InvalidRule(fields: F.fields("keepequal", ["a"]), reason: "'target_label'"),
    InvalidRule(fields: F.fields("dropequal", ["a"]), reason: "'target_label'"),
    InvalidRule(fields: F.fields("keepequal", ["a"], target: "t", replacement: "x"), reason: "can not be set"),
    InvalidRule(fields: F.fields("keepequal", ["a"], regex: "x", target: "t"), reason: "no other fields"),
    InvalidRule(fields: F.fields("dropequal", ["a"], target: "t", separator: ","), reason: "no other fields"),
    InvalidRule(fields: F.fields("dropequal", ["a"], target: "t", modulus: 3), reason: "no other fields"),
    InvalidRule(fields: F.fields("labeldrop", ["a"], regex: "x"), reason: "requires only 'regex'"),
    InvalidRule(fields: F.fields("labelkeep", regex: "x", target: "t"), reason: "requires only 'regex'"),
    InvalidRule(fields: F.fields("labelkeep", regex: "x", replacement: "y"), reason: "requires only 'regex'"),
    InvalidRule(fields: F.fields("labeldrop", regex: "x", separator: ","), reason: "requires only 'regex'"),
    InvalidRule(fields: F.fields("labelmap", regex: "x", replacement: "a-b"), reason: "invalid 'replacement'"),
    InvalidRule(fields: F.fields("labelmap", regex: "x", replacement: ""), reason: "invalid 'replacement'"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "("), reason: "missing closing )"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "a)"), reason: "unexpected )"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "*"), reason: "missing argument to repetition operator: `*`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "a**"), reason: "invalid nested repetition operator: `**`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "[z-a]"), reason: "invalid character class range: `z-a`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "[a"), reason: "missing closing ]: `[a`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "\\8"), reason: "invalid escape sequence: `\\8`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "(a)\\1"), reason: "invalid escape sequence: `\\1`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "(?=a)"), reason: "invalid or unsupported Perl syntax"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "(?!a)b"), reason: "invalid or unsupported Perl syntax"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "a{1001}"), reason: "invalid repeat count: `{1001}`"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "(a{1000}){1000}"), reason: "too large"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "((((((){1000}){1000}){1000}){1000}){1000})"), reason: "too large"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "\\"), reason: "trailing backslash"),
    InvalidRule(fields: F.fields("keep", ["a"], regex: "\\pX"), reason: "invalid character class range: `\\pX`"),
    InvalidRule(
      fields: F.fields("keep", ["a"], regex: String(repeating: "(", count: 500) + String(repeating: ")", count: 500)),
      reason: "nests too deeply"),
  ]
}

import Base
import Testing

@Test func `objects keep the order they were written in`() {
  var json = JSONWriter()
  json.object {
    $0.field("b", 1)
    $0.field("a", "x")
    $0.array("list") {
      $0.value(-2)
      $0.value(true)
      $0.null()
      $0.object { _ in }
      $0.array { $0.value(0.5) }
    }
    $0.object("empty") { _ in }
  }
  #expect(
    json.text == """
      {
        "b": 1,
        "a": "x",
        "list": [
          -2,
          true,
          null,
          {},
          [
            0.5
          ]
        ],
        "empty": {}
      }
      """)
}

@Test func `without indentation it is one line`() {
  var json = JSONWriter(indent: 0)
  json.object {
    $0.field("a", 1)
    $0.null("b")
    $0.array("c") { _ in }
    $0.field("d", Double.nan)
  }
  #expect(json.text == #"{"a":1,"b":null,"c":[],"d":null}"#)
}

@Test(arguments: ["", "plain", "quote \" backslash \\ slash /", "\n\r\t\u{01}\u{7f}", "é 😀", "\u{0}"])
func `any text comes back`(text: String) throws {
  var json = JSONWriter()
  json.value(text)
  #expect(try JSONReader.read(json.bytes) == .text(text))
}

@Test(arguments: [Int64.min, -1, 0, 1, Int64.max])
func `any integer comes back`(number: Int64) throws {
  var json = JSONWriter()
  json.value(number)
  #expect(try JSONReader.read(json.bytes) == .integer(number))
}

@Test(arguments: [0.1, -1e-300, 1e300, 3.0])
func `any fraction comes back`(number: Double) throws {
  var json = JSONWriter()
  json.value(number)
  #expect(try JSONReader.read(json.bytes) == .number(number))
}

private func read(_ text: String) throws(MalformedInput) -> JSONValue { try JSONReader.read(Array(text.utf8)) }

@Test func `a reader takes what the standard allows`() throws {
  let value = try read(#" { "code" : "invalid_argument", "list": [ 1 , 2.5e1, -0, null, true, false ], "u": "\u00e9\ud83d\ude00\ud83d" } "#)
  #expect(value["code"]?.text == "invalid_argument")
  #expect(value["list"]?.elements == [.integer(1), .number(25), .integer(0), .null, .boolean(true), .boolean(false)])
  #expect(value["u"]?.text == "é😀\u{fffd}")
  #expect(value["missing"] == nil)
  #expect(try read("12345678901234567890") == .number(1.2345678901234568e19))
}

@Test(arguments: [
  "", " ", "{", "[", "[1", "[1,", "[1 2]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "\"", "\"\\", "\"\\x\"",
  "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "tru", "01", "-", "1.", "1e", "+1", "1 2", "nul", "[1]]", "<html>",
])
func `a reader refuses everything else`(text: String) {
  #expect(throws: MalformedInput.self) { try read(text) }
}

@Test func `nesting and size have limits`() {
  let deep = String(repeating: "[", count: 100_000)
  #expect(throws: MalformedInput.self) { try read(deep) }
  #expect(throws: MalformedInput.self) { try JSONReader.read([0x31, 0x31], limit: 1) }
}

import Configuration
import Testing

/// Several files that are one configuration.
struct DirectoryTests {
  private func errors(_ files: [(String, String)]) -> String {
    var warnings: [Diagnostic] = []
    let file = SourceFile(name: "dir", files: files.map { (name: $0.0, bytes: Array($0.1.utf8)) })
    do throws(Configuration.Problems) {
      _ = try Configuration(file, Reading.environment, warnings: &warnings)
      return ""
    } catch {
      return error.text
    }
  }

  private let write = "pyroscope.write \"w\" {\n  endpoint { url = \"http://h\" }\n}"

  @Test func `what one file refers to may stand in another, and none needs a newline at its end`() {
    let ebpf = "\u{feff}pyroscope.ebpf \"e\" {\n  targets = []\n  forward_to = [pyroscope.write.w.receiver]\n}"
    #expect(errors([("a.alloy", ebpf), ("b.alloy", write)]).isEmpty)
    #expect(errors([("a.alloy", write), ("b.alloy", ebpf)]).isEmpty)
    #expect(errors([("a.alloy", ""), ("b.alloy", write), ("c.alloy", ebpf)]).isEmpty)
  }

  @Test func `an error names its own file and line, and shows no secret of it`() {
    let wrong = "pyroscope.write \"v\" {\n  endpoint {\n    url = \"http://h\"\n    bearer_token = \"hidden\" + 1\n  }\n}"
    let text = errors([("a.alloy", write), ("b.alloy", wrong)])
    #expect(text.hasPrefix("Error: b.alloy:4:"))
    #expect(text.contains("4 |"))
    #expect(!text.contains("hidden"))
  }

  @Test func `a file that is cut short does not run on in the next`() {
    let text = errors([("a.alloy", "pyroscope.write \"v\" {\n  /* never closed"), ("b.alloy", "*/ }\n" + write)])
    #expect(text.contains("Error: a.alloy:"))
    #expect(text.contains("Error: b.alloy:1:1"))
  }
}

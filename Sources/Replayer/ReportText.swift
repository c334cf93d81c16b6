package import Base
import Symbolize
import TraceFormat

extension ReplayReport {
  /// The report as JSON: keys always in the same order.
  package func json() -> [UInt8] {
    var json = JSONWriter()
    json.object {
      $0.field("trace_id", traceID)
      $0.field("complete", isComplete)
      $0.field("duration_seconds", Double(durationNanoseconds) / 1e9)
      $0.field("frequency_hz", frequencyHertz)
      $0.object("samples") {
        $0.field("recorded", samples)
        $0.field("lost", lostSamples)
        $0.field("weight", weight)
      }
      $0.object("losses") {
        for reason in LossRecord.Reason.allCases { if let count = losses[reason] { $0.field(reason.name, count) } }
      }
      $0.object("unwind") {
        for result in unwindResults.keys.sorted() {
          $0.field(UnwindResult(rawValue: result)?.name ?? "result_\(result)", unwindResults[result] ?? 0)
        }
      }
      if !unwindBreaks.isEmpty { unwindBreaks(in: &$0) }
      if !interpreters.isEmpty || !interpreterFailures.isEmpty { interpreters(in: &$0) }
      $0.field("stacks", stacks)
      $0.field("missing_stacks", missingStacks)
      $0.field("processes", processes)
      $0.field("threads", threads)
      $0.object("symbols") {
        $0.field("addresses", addresses)
        $0.field("named", namedAddresses)
        $0.object("unknown") { Self.unknown(unknownAddresses, &$0) }
      }
      $0.object("damage") {
        $0.field("regions", damagedRegions)
        $0.field("inconsistent_records", inconsistentRecords)
        $0.field("unknown_records", unknownRecords)
      }
      $0.array("images") {
        for image in images {
          $0.object {
            $0.field("path", image.path)
            $0.field("build_id", image.buildID)
            $0.field("self_weight", image.selfWeight)
            $0.field("unnamed_weight", image.unnamedWeight)
            $0.field("named", image.named)
            $0.object("unknown") { Self.unknown(image.unknown, &$0) }
            if !image.damage.isEmpty { $0.array("damage") { for text in image.damage { $0.value(text) } } }
          }
        }
      }
      $0.array("functions") {
        for function in functions {
          $0.object {
            $0.field("name", function.name)
            $0.field("self", function.selfWeight)
            $0.field("total", function.totalWeight)
          }
        }
      }
    }
    return json.bytes + [0x0a]
  }

  /// Which images break stacks, as an array `unwind_by_image`.
  package func unwindBreaks(in json: inout JSONWriter) {
    json.array("unwind_by_image") {
      for place in unwindBreaks {
        $0.object {
          $0.field("image", place.path)
          $0.field("reason", place.reason)
          $0.field("guessed", place.wasGuessed)
          $0.field("samples", place.samples)
        }
      }
    }
  }

  /// Frames by language and version, and why some are missing, as an object `interpreters`.
  package func interpreters(in json: inout JSONWriter) {
    json.object("interpreters") {
      $0.array("runtimes") {
        for each in interpreters {
          $0.object {
            $0.field("runtime", each.runtime)
            $0.field("codes", each.codes)
            $0.field("frames", each.frames)
          }
        }
      }
      $0.object("failures") {
        for name in interpreterFailures.keys.sorted() { $0.field(name, interpreterFailures[name] ?? 0) }
      }
    }
  }

  /// Whole per cent; weights are a trace's own numbers and may be as large as 64 bits go.
  static func percentage(_ part: UInt64, of whole: UInt64) -> Int {
    guard whole > 0 else { return 0 }
    guard part < whole else { return 100 }
    return Int(whole.dividingFullWidth(part.multipliedFullWidth(by: 100)).quotient)
  }

  private static func unknown(_ counts: [UInt8: Int], _ json: inout JSONWriter) {
    for reason in counts.keys.sorted() { json.field(reasonName(reason), counts[reason] ?? 0) }
  }

  /// What has no names and what to do about it, a line an image and reason, for people. Empty when everything has a name.
  package func missingSymbolLines(limit: Int = 10) -> [String] {
    var lines: [String] = []
    for image in images where !image.unknown.isEmpty || !image.damage.isEmpty {
      if lines.count >= limit { break }
      lines += image.damage.prefix(3)
      for reason in image.unknown.keys.sorted() {
        let count = image.unknown[reason] ?? 0
        let advice = MissReason(rawValue: reason)?.advice(for: image.path) ?? "a reason this version does not know"
        let share = Self.percentage(image.unnamedWeight, of: weight)
        lines.append(
          "\(image.path): \(count) address\(count == 1 ? "" : "es") without a name (\(Self.reasonName(reason))), in \(share) % of the samples: \(advice)"
        )
      }
    }
    return lines
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Brendan Gregg's collapsed stacks: a line a distinct stack, `COMM;root;…;leaf COUNT`, sorted bytewise.
///
/// - COMM is the sample's thread name, else its text label `comm`, else `[unknown]`.
/// - Inlined frames are frames. In names `;` becomes `:` and a control character a space, because both end a frame.
/// - COUNT is the first sample type's value; where that type is also the period's, as CPU time is, it is divided by
///   the period, so that it counts samples. Lines of count 0 or less are left out.
/// - With `lines`, a frame whose file is known gets ` (FILE:LINE)`, line 0 when only the file is; with `annotate`,
///   `_[i]` follows an inlined frame and `_[k]` any other frame of the kernel, last, where flame graphs look for it.
package enum CollapsedFormat: ProfileFormat {
  package static let name = "collapsed"
  package static let groupsByThreadName = true

  package static func encode(_ profile: Profile, _ options: FormatOptions) -> [UInt8] {
    guard let firstType = profile.sampleTypes.first else { return [] }
    let period = profile.periodType == firstType && profile.period > 1 ? profile.period : 1
    let frames = FrameTexts(profile, options)
    let comm = CommNames(profile)
    let width = profile.sampleTypes.count
    var stacks: [UInt8] = []
    stacks.reserveCapacity(
      (0..<profile.samples.count).reduce(0) { size, sample in
        profile.samples.locations(sample).reduce(size + comm.text(sample).count) { $0 + frames.text($1).count }
      })
    var lines: [Line] = []
    lines.reserveCapacity(profile.samples.count)
    for sample in 0..<profile.samples.count {
      let count = Self.rounded(profile.samples.values[sample * width], by: period)
      guard count > 0 else { continue }
      let start = stacks.count
      stacks.append(contentsOf: comm.text(sample))
      for location in profile.samples.locations(sample).reversed() {
        stacks.append(contentsOf: frames.text(location))
      }
      lines.append(Line(range: start..<stacks.count, count: count))
    }
    return merged(sorted(lines, in: stacks), in: stacks)
  }

  private struct Line {
    var range: Range<Int>
    var count: Int64
  }

  private static func rounded(_ value: Int64, by period: Int64) -> Int64 {
    period == 1 ? value : value / period + (value % period >= period / 2 + period % 2 ? 1 : 0)
  }

  private static func sorted(_ lines: [Line], in stacks: [UInt8]) -> [Line] {
    unsafe stacks.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return lines }
      return lines.sorted { left, right in
        let shorter = min(left.range.count, right.range.count)
        // Safe: `shorter` bytes from either start lie inside `stacks`.
        let order = unsafe memcmp(start + left.range.lowerBound, start + right.range.lowerBound, shorter)
        return order != 0 ? order < 0 : left.range.count < right.range.count
      }
    }
  }

  /// The output: of equal stacks, which now stand side by side, one line with the sum.
  private static func merged(_ lines: [Line], in stacks: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(stacks.count + lines.count * 8)
    var next = 0
    while next < lines.count {
      let range = lines[next].range
      var count: Int64 = 0
      while next < lines.count, lines[next].range.count == range.count,
        lines[next].range == range || stacks[lines[next].range].elementsEqual(stacks[range])
      {
        let (sum, overflow) = count.addingReportingOverflow(lines[next].count)
        count = overflow ? .max : sum
        next += 1
      }
      out.append(contentsOf: stacks[range])
      out.append(UInt8(ascii: " "))
      out.append(contentsOf: String(count).utf8)
      out.append(UInt8(ascii: "\n"))
    }
    return out
  }
}

extension [UInt8] {
  /// Appends `text` with what would end a frame or a line replaced.
  fileprivate mutating func append(frame text: ArraySlice<UInt8>) {
    for byte in text {
      switch byte {
      case UInt8(ascii: ";"): append(UInt8(ascii: ":"))
      case 0..<0x20, 0x7f: append(UInt8(ascii: " "))
      default: append(byte)
      }
    }
  }
}

/// The text of each location, made once: `;outermost;…;innermost`.
private struct FrameTexts {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []

  init(_ profile: Profile, _ options: FormatOptions) {
    ends.reserveCapacity(profile.locations.count)
    for place in 0..<profile.locations.count {
      let lines = profile.locations.lineRange(place)
      if lines.isEmpty {
        bytes.append(contentsOf: ";[unknown]+0x".utf8)
        bytes.append(contentsOf: String(profile.locations.addresses[place], radix: 16).utf8)
      }
      for index in lines.reversed() {
        let line = profile.locations.lines[index]
        let function = profile.functions[line.function.index]
        bytes.append(UInt8(ascii: ";"))
        if function.name == .empty {
          bytes.append(contentsOf: "[unknown]".utf8)
        } else {
          bytes.append(frame: profile.strings.utf8(function.name))
        }
        if options.lines, function.file != .empty {
          bytes.append(contentsOf: " (".utf8)
          bytes.append(frame: profile.strings.utf8(function.file))
          bytes.append(contentsOf: ":\(line.line))".utf8)
        }
        if options.annotate {
          if index != lines.upperBound - 1 {
            bytes.append(contentsOf: "_[i]".utf8)
          } else if profile.locations.isKernel[place] {
            bytes.append(contentsOf: "_[k]".utf8)
          }
        }
      }
      ends.append(bytes.count)
    }
  }

  func text(_ location: LocationHandle) -> ArraySlice<UInt8> {
    bytes[(location.index == 0 ? 0 : ends[location.index - 1])..<ends[location.index]]
  }
}

/// What a sample's line starts with.
private struct CommNames {
  private let profile: Profile
  private let commKey: StringHandle?
  private var known: [StringHandle: [UInt8]] = [:]

  init(_ profile: Profile) {
    self.profile = profile
    commKey = profile.samples.labels.first { profile.strings[$0.key] == "comm" }?.key
    for name in profile.samples.threadNames where known[name] == nil { known[name] = Self.text(name, profile) }
    for label in profile.samples.labels where label.key == commKey && known[label.text] == nil {
      known[label.text] = Self.text(label.text, profile)
    }
  }

  private static func text(_ name: StringHandle, _ profile: Profile) -> [UInt8] {
    if name == .empty { return Array("[unknown]".utf8) }
    var bytes: [UInt8] = []
    bytes.append(frame: profile.strings.utf8(name))
    return bytes
  }

  func text(_ sample: Int) -> [UInt8] {
    var name = profile.samples.threadNames[sample]
    if name == .empty, let commKey {
      name = profile.samples.labels(sample).first { $0.key == commKey }?.text ?? .empty
    }
    return known[name] ?? []
  }
}

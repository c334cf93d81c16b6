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

  package static func encode<Failure: Error>(
    _ profile: Profile, _ options: FormatOptions, to output: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    guard let firstType = profile.sampleTypes.first else { return }
    let period = profile.periodType == firstType && profile.period > 1 ? profile.period : 1
    let width = profile.sampleTypes.count
    var lines = CollapsedLines(profile, options)
    for sample in 0..<profile.samples.count {
      let count = Self.rounded(profile.samples.values[sample * width], by: period)
      if count > 0 { lines.append(sample, of: profile, count: count) }
    }
    try lines.write(to: output)
  }

  private static func rounded(_ value: Int64, by period: Int64) -> Int64 {
    period == 1 ? value : value / period + (value % period >= period / 2 + period % 2 ? 1 : 0)
  }
}

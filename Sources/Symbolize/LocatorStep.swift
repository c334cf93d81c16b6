package import Base

/// One place the locator looked in, and what came of it; all of them in order tell `--verbose` how a file was found or missed.
package struct LocatorStep: Hashable, Sendable {
  package enum Place: Hashable, Sendable {
    /// The copy in the trace.
    case recordedCopy
    /// A build ID under a `--debug-directory`.
    case debugDirectoryBuildID
    /// A name under a `--debug-directory`.
    case debugDirectoryName
    /// `/usr/lib/debug/.build-id`.
    case globalBuildID
    /// `.gnu_debuglink` beside the file, in `.debug/`, or under `/usr/lib/debug`.
    case debugLink
    /// Where distributions keep a kernel's debug file.
    case kernelFile
    /// The file at its own path.
    case originalFile
    /// The cache that debuginfod clients share.
    case debuginfodCache
    /// A debuginfod server; the path is a URL.
    case debuginfodServer
    /// What a debug file refers to: the file of `dwz`, split units.
    case companionFile
  }
  package enum Outcome: Hashable, Sendable {
    case used
    case notFound
    /// Another file of the same name.
    case mismatch(Mismatch)
    case unreadable(SystemCallError)
    case malformed(MalformedInput)
    /// Asked for a short time ago, and nobody had it.
    case knownMissing(secondsAgo: Int)
    /// Why a server was passed over.
    case notAsked(String)
    /// Why a server could not be asked, or gave no answer.
    case unreachable(String)
    case tooLarge(limit: UInt64)
    /// It belongs to the image, and what was looked for is not in it.
    case unfit(String)
  }
  package enum Mismatch: Hashable, Sendable {
    case buildID(wanted: BuildID, found: BuildID)
    /// The CRC-32 of `.gnu_debuglink`.
    case crc(wanted: UInt32, found: UInt32)
    /// Neither a build ID nor a CRC tells whether it belongs to the image.
    case unproven
    /// Size or time of change are not as recorded.
    case changed
    /// A link that holds more than a file name.
    case unsafeName
  }
  package var place: Place
  package var path: String
  package var outcome: Outcome

  package init(place: Place, path: String, outcome: Outcome) {
    self.place = place
    self.path = path
    self.outcome = outcome
  }
}

extension LocatorStep {
  /// A file that was there and could not be read.
  package var isDamage: Bool {
    if case .malformed = outcome { return true }
    return false
  }
}

extension LocatorStep: CustomStringConvertible {
  /// One line, such as `/usr/lib/debug/.build-id/ab/cd.debug: not there`.
  package var description: String { "\(path): \(outcome)" }
}

extension LocatorStep.Outcome: CustomStringConvertible {
  package var description: String {
    switch self {
    case .used: "used"
    case .notFound: "not there"
    case .mismatch(let why): "not used: \(why)"
    case .unreadable(let cause): "not readable: \(cause.reason)"
    case .malformed(let cause): "damaged: \(cause)"
    case .knownMissing(let seconds): "no server had it \(seconds) seconds ago"
    case .notAsked(let why): "not asked: \(why)"
    case .unreachable(let why): "no answer: \(why)"
    case .tooLarge(let limit): "not used: larger than \(limit) bytes"
    case .unfit(let why): "not used: \(why)"
    }
  }
}

extension LocatorStep.Mismatch: CustomStringConvertible {
  package var description: String {
    switch self {
    case .buildID(let wanted, let found): "its build ID is \(found), wanted \(wanted)"
    case .crc(let wanted, let found): "its CRC is \(String(found, radix: 16)), wanted \(String(wanted, radix: 16))"
    case .unproven: "neither a build ID nor a CRC says that it belongs to the image"
    case .changed: "it is not the file that was recorded"
    case .unsafeName: "the link holds more than a file name"
    }
  }
}

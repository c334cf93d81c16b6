import Dispatch
import Recorder
import Synchronization

/// A recorder on a thread of its own.
final class RecordingThread: Sendable {
  enum State: Sendable {
    case starting
    case recording
    /// It ended although nobody asked for it: in words.
    case ended(String)
    case failed(RecorderError)
    case stopped
  }
  private let state = Mutex(State.starting)
  private let control: RecordingControl
  private let beat = Mutex<UInt64>(0)
  private let done = DispatchGroup()

  /// - Parameter clock: tells when the recording showed itself last.
  init(_ given: RecorderConfiguration, clock: @escaping @Sendable () -> UInt64) throws(RecorderError) {
    control = try RecordingControl()
    var configuration = given
    configuration.control = control
    beat.withLock { $0 = clock() }
    let recording = configuration
    DispatchQueue(label: "pyrorec.recording", qos: .userInitiated).async(group: done) { [self] in
      let recorder = Recorder(recording)
      recorder.onReady = { self.state.withLock { $0 = .recording } }
      recorder.onProgress = { _, _, _ in self.beat.withLock { $0 = clock() } }
      do throws(RecorderError) {
        let report = try recorder.run()
        let asked = report.end == .interrupted
        self.state.withLock { $0 = asked ? .stopped : .ended(report.writeFailure ?? report.end.rawValue) }
      } catch {
        self.state.withLock { $0 = .failed(error) }
      }
    }
  }

  var current: State { state.withLock { $0 } }
  /// When it showed itself last, by the clock it was given.
  var lastBeat: UInt64 { beat.withLock { $0 } }

  func setWindow(nanoseconds: UInt64) { control.setWindow(nanoseconds: nanoseconds) }

  /// Ends it; what it sampled until now is written when this returns.
  func stop() {
    control.stop()
    done.wait()
  }
}

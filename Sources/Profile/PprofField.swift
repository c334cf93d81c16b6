/// Field numbers of profile.proto (github.com/google/pprof, `proto/profile.proto`), as they are written and read.
enum PprofField {
  enum Profile {
    static let sampleType: UInt64 = 1
    static let sample: UInt64 = 2
    static let mapping: UInt64 = 3
    static let location: UInt64 = 4
    static let function: UInt64 = 5
    static let string: UInt64 = 6
    static let timeNanos: UInt64 = 9
    static let durationNanos: UInt64 = 10
    static let periodType: UInt64 = 11
    static let period: UInt64 = 12
    static let comment: UInt64 = 13
    static let defaultSampleType: UInt64 = 14
  }
  enum ValueType {
    static let type: UInt64 = 1
    static let unit: UInt64 = 2
  }
  enum Sample {
    static let locationID: UInt64 = 1
    static let value: UInt64 = 2
    static let label: UInt64 = 3
  }
  enum Label {
    static let key: UInt64 = 1
    static let text: UInt64 = 2
    static let number: UInt64 = 3
    static let unit: UInt64 = 4
  }
  enum Mapping {
    static let id: UInt64 = 1
    static let start: UInt64 = 2
    static let limit: UInt64 = 3
    static let offset: UInt64 = 4
    static let file: UInt64 = 5
    static let buildID: UInt64 = 6
    static let hasFunctions: UInt64 = 7
    static let hasFilenames: UInt64 = 8
    static let hasLineNumbers: UInt64 = 9
    static let hasInlineFrames: UInt64 = 10
  }
  enum Location {
    static let id: UInt64 = 1
    static let mapping: UInt64 = 2
    static let address: UInt64 = 3
    static let line: UInt64 = 4
  }
  enum Line {
    static let function: UInt64 = 1
    static let line: UInt64 = 2
  }
  enum Function {
    static let id: UInt64 = 1
    static let name: UInt64 = 2
    static let systemName: UInt64 = 3
    static let file: UInt64 = 4
    static let startLine: UInt64 = 5
  }
}

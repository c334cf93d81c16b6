import Symbolize
import Testing

@Suite struct DemanglerTests {
  struct Expectation: CustomTestStringConvertible {
    var mangled: String
    var simplified: String
    var templates: String
    var full: String
    var testDescription: String { mangled }

    init(_ mangled: String, _ simplified: String, _ templates: String? = nil, _ full: String? = nil) {
      self.mangled = mangled
      self.simplified = simplified
      self.templates = templates ?? simplified
      self.full = full ?? templates ?? simplified
    }
  }

  static let cplus: [Expectation] = [
    .init(
      "_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector::push_back", "std::vector<int, std::allocator<int> >::push_back",
      "std::vector<int, std::allocator<int> >::push_back(int const&)"),
    .init("_ZSt4sortIPiEvT_S1_", "std::sort", "std::sort<int*>", "void std::sort<int*>(int*, int*)"),
    .init("_ZN3foo3barEi.cold", "foo::bar", "foo::bar", "foo::bar(int)"),
    .init("_ZN3foo3barEi.part.0.constprop.1.cold", "foo::bar", "foo::bar", "foo::bar(int)"),
    .init("_ZN3foo3barEi.llvm.1234567890", "foo::bar", "foo::bar", "foo::bar(int)"),
    .init("_ZNK3Foo3barEv", "Foo::bar", "Foo::bar", "Foo::bar() const"),
    .init(
      "_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()", "main::{lambda()#1}::operator()",
      "main::{lambda()#1}::operator()() const"),
    .init("_ZN3fooIiE3barIdEEvT_.isra.0", "foo::bar", "foo<int>::bar<double>", "void foo<int>::bar<double>(double)"),
    // The functions that others lie in lose their parameters too.
    .init(
      "_ZZN3fooIiE3barEiENKUliE_clEi", "foo::bar::{lambda(int)#1}::operator()",
      "foo<int>::bar::{lambda(int)#1}::operator()", "foo<int>::bar(int)::{lambda(int)#1}::operator()(int) const"),
    .init(
      "_ZZZ1fvENKUlvE_clEvENKUlvE_clEv", "f::{lambda()#1}::operator()::{lambda()#1}::operator()",
      "f::{lambda()#1}::operator()::{lambda()#1}::operator()",
      "f()::{lambda()#1}::operator()() const::{lambda()#1}::operator()() const"),
    .init("_ZZN3Foo3barEiEN5Local3runEv", "Foo::bar::Local::run", "Foo::bar::Local::run", "Foo::bar(int)::Local::run()"),
    // Operators hold brackets that are none.
    .init(
      "_ZlsIcERSoS0_T_", "operator<<", "operator<< <char>", "std::ostream& operator<< <char>(std::ostream&, char)"),
    .init("_ZN1AltIiEEbT_", "A::operator<", "A::operator< <int>", "bool A::operator< <int>(int)"),
    .init("_ZN1AgtIiEEbT_", "A::operator>", "A::operator><int>", "bool A::operator><int>(int)"),
    .init("_ZN1AptIiEEbT_", "A::operator->", "A::operator-><int>", "bool A::operator-><int>(int)"),
    .init("_ZN1ApmIiEEbT_", "A::operator->*", "A::operator->*<int>", "bool A::operator->*<int>(int)"),
    .init("_ZN1AssIiEEbT_", "A::operator<=>", "A::operator<=><int>", "bool A::operator<=><int>(int)"),
    .init("_ZN1AlSIiEEbT_", "A::operator<<=", "A::operator<<=<int>", "bool A::operator<<=<int>(int)"),
    .init("_ZN1AcvbEv", "A::operator bool", "A::operator bool", "A::operator bool()"),
    .init("_ZN1AclIiEEvT_", "A::operator()", "A::operator()<int>", "void A::operator()<int>(int)"),
    .init(
      "_ZN9__gnu_cxx17__normal_iteratorIPKcSsEptEv", "__gnu_cxx::__normal_iterator::operator->",
      "__gnu_cxx::__normal_iterator<char const*, std::string>::operator->",
      "__gnu_cxx::__normal_iterator<char const*, std::string>::operator->()"),
    .init(
      "_ZNSt8functionIFviEEclEi", "std::function::operator()", "std::function<void (int)>::operator()",
      "std::function<void (int)>::operator()(int)"),
    .init("_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo", "(anonymous namespace)::foo", "(anonymous namespace)::foo()"),
    .init("_ZN3FooC1Ev", "Foo::Foo", "Foo::Foo", "Foo::Foo()"),
    .init("_ZN3FooD0Ev", "Foo::~Foo", "Foo::~Foo", "Foo::~Foo()"),
    .init("_ZN3FooB5cxx11Ev", "Foo[abi:cxx11]", "Foo[abi:cxx11]", "Foo[abi:cxx11]()"),
    .init("_ZTV3Foo", "vtable for Foo"),
    .init("_Z4funcIPFivEEvT_", "func", "func<int (*)()>", "void func<int (*)()>(int (*)())"),
    // A greater-than within template arguments stands in parentheses.
    .init("_ZN1AIXgtLi2ELi1EEE1fEv", "A::f", "A<((2)>(1))>::f", "A<((2)>(1))>::f()"),
    .init("_ZN1AIXadL_ZlsiR1BEEE1fEv", "A::f", "A<&(operator<<(int, B&))>::f", "A<&(operator<<(int, B&))>::f()"),
    .init("_ZN3FooIXadL_Z3barvEEE3runEv", "Foo::run", "Foo<&(bar())>::run", "Foo<&(bar())>::run()"),
    .init("_ZN3foo3barEi@plt", "foo::bar@plt", "foo::bar@plt", "foo::bar(int)@plt"),
  ]

  static let rust: [Expectation] = [
    .init("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
    .init("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
    .init("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.1234", "core::fmt::Formatter::pad"),
    .init("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of", "std::mem::align_of::<f64>"),
    .init("_RNvMNtC1a1bNtB2_1S3foo", "<a::b::S>::foo"),
    .init(
      "_RNvXs1_NtCs1234_5alloc3vecINtB5_3VecNtC3abc1TENtNtCs1_4core3ops4Drop4drop",
      "<alloc::vec::Vec as core::ops::Drop>::drop", "<alloc::vec::Vec<abc::T> as core::ops::Drop>::drop"),
  ]

  static let swift: [Expectation] = [
    .init("$s4main3fooyyF", "main.foo", "main.foo", "main.foo() -> ()"),
    .init("_$s4main3fooyyF", "main.foo", "main.foo", "main.foo() -> ()"),
    .init("$s4main3fooyyF.resume.0", "main.foo", "main.foo", "main.foo() -> ()"),
    .init("$s4main3foo1aS2i_tF", "main.foo", "main.foo", "main.foo(a: Swift.Int) -> Swift.Int"),
    .init(
      "$s4main3fooyyFyycfU_", "closure #1 in main.foo", "closure #1 in main.foo",
      "closure #1 () -> () in main.foo() -> ()"),
    .init("$s4main3mapyxxlF", "main.map", "main.map<A>", "main.map<A>(A) -> A"),
    .init("$s4main3FooV5valueSivg", "main.Foo.value.getter", "main.Foo.value.getter", "main.Foo.value.getter : Swift.Int"),
    .init(
      "$sSayxSicig", "Swift.Array.subscript.getter", "Swift.Array.subscript.getter",
      "Swift.Array.subscript.getter : (Swift.Int) -> A"),
    .init(
      "$s4main1SV3key33_0123456789ABCDEF0123456789ABCDEFLLyyF", "main.S.key", "main.S.key",
      "main.S.(key in _0123456789ABCDEF0123456789ABCDEF)() -> ()"),
    .init(
      "$s4main3FooV2eeoiySbAC_ACtFZ", "static main.Foo.== infix", "static main.Foo.== infix",
      "static main.Foo.== infix(main.Foo, main.Foo) -> Swift.Bool"),
    .init(
      "$s4main3FooV1loiySbAC_ACtFZ", "static main.Foo.< infix", "static main.Foo.< infix",
      "static main.Foo.< infix(main.Foo, main.Foo) -> Swift.Bool"),
    .init(
      "$sSiIegy_SiIegn_TR", "reabstraction thunk helper", "reabstraction thunk helper",
      "reabstraction thunk helper from @escaping @callee_guaranteed (@unowned Swift.Int) -> () to @escaping @callee_guaranteed (@in_guaranteed Swift.Int) -> ()"
    ),
    .init("$s4main3FooVMa", "type metadata accessor for main.Foo"),
    // A closure as the argument of a specialization: the runtime leaves its [ open, and names types in it.
    .init(
      "$ss7UnicodeO5UTF16O6encode_4intoyAB6ScalarV_ys6UInt16VXEtFZ04$ss6F14VIgn_ABIegy_TRAJIgn_Tf1ncn_nTf4ndg_n",
      "static Swift.Unicode.UTF16.encode",
      "function signature specialization <Arg[1] = Dead, Arg[2] = Owned To Guaranteed> of function signature specialization <Arg[1] = [Closure Propagated : $ss6UInt16VIgn_ABIegy_TR, Argument Types : [@callee_guaranteed (@in_guaranteed Swift.UInt16) -> ()]> of static Swift.Unicode.UTF16.encode",
      "function signature specialization <Arg[1] = Dead, Arg[2] = Owned To Guaranteed> of function signature specialization <Arg[1] = [Closure Propagated : $ss6UInt16VIgn_ABIegy_TR, Argument Types : [@callee_guaranteed (@in_guaranteed Swift.UInt16) -> ()]> of static Swift.Unicode.UTF16.encode(_: Swift.Unicode.Scalar, into: (Swift.UInt16) -> ()) -> ()"
    ),
    .init(
      "$s4main3foo1aS2i_tFSiTf3pSi0_n", "main.foo",
      "function signature specialization <Arg[0] = [Constant Propagated Struct : Swift.Int][Constant Propagated Integer : 0]> of main.foo",
      "function signature specialization <Arg[0] = [Constant Propagated Struct : Swift.Int][Constant Propagated Integer : 0]> of main.foo(a: Swift.Int) -> Swift.Int"
    ),
  ]

  @Test(arguments: cplus + rust + swift)
  func `a mangled name reads as expected in every mode`(expected: Expectation) {
    #expect(Demangler.demangle(expected.mangled, .none) == expected.mangled)
    #expect(Demangler.demangle(expected.mangled, .simplified) == expected.simplified)
    #expect(Demangler.demangle(expected.mangled, .templates) == expected.templates)
    #expect(Demangler.demangle(expected.mangled, .full) == expected.full)
  }

  @Test(arguments: ["main", "foo.cold", "", "_", "_Z", "_ZN", "$s", "$sFoo", "_R", "operator", "_start", "a@plt", "Ünïcode"])
  func `a name that is not mangled stays as it is`(name: String) {
    for mode in DemangleMode.allCases { #expect(Demangler.demangle(name, mode) == name) }
  }

  @Test(arguments: ["$s4main3fooyyF", "_ZN4main3fooEv"])
  func `a name that ends inside a longer text is read no further`(name: String) {
    // What follows would go on with either mangling.
    let text = Array((name + "Z4main").utf8)
    let shown = Demangler.demangled(text.span.extracting(0..<name.utf8.count), .simplified)
    #expect(shown == Demangler.demangle(name, .simplified))
    #expect(shown != nil && shown != name)
  }

  @Test func `a C++ name beyond libiberty's own limit is demangled all the same`() {
    let word = String(repeating: "a", count: 900)
    let name = "_ZN900\(word)900\(word)900\(word)IiE3runEv"
    #expect(Demangler.demangle(name, .simplified) == "\(word)::\(word)::\(word)::run")
    #expect(Demangler.demangle(name, .full) == "\(word)::\(word)::\(word)<int>::run()")
  }

  @Test func `names longer than 64 KiB come back unchanged`() {
    for prefix in ["_ZN", "_RNv", "$s4main"] {
      let name = prefix + String(repeating: "1a", count: 40_000) + "Ev"
      #expect(Demangler.demangle(name, .full) == name)
    }
  }

  @Test(arguments: [
    ("camlStdlib__List__map_507", "Stdlib.List.map"), ("camlStdlib__List.iter_12", "Stdlib.List.iter"),
    ("camlMain__entry", "Main.entry"), ("camlMain__fun_1234", "Main.fun_1234"), ("camlMain__two__parts_7", "Main.two__parts"),
    ("camlStdlib__$40_208", "Stdlib.@"), ("camlStdlib__Hashtbl__hash_param_3", "Stdlib.Hashtbl.hash_param"),
    // The runtime's own functions, and what is no such name.
    ("caml_alloc_small", "caml_alloc_small"), ("camlFoo", "camlFoo"), ("camlFoo__$0a_1", "camlFoo__$0a_1"),
  ])
  func `OCaml names are a path and a value, without the number of the value`(mangled: String, name: String) {
    for mode: DemangleMode in [.simplified, .templates, .full] { #expect(Demangler.demangle(mangled, mode) == name) }
    #expect(Demangler.demangle(mangled, .none) == mangled)
  }

  @Test(arguments: [
    ("_Dmain", "D main"), ("_D8demangle4testFaZv", "demangle.test"), ("_D8demangle4testFxaZv", "demangle.test"),
    ("_D8demangle4testFS8demangle1SZv", "demangle.test"), ("_D8demangle1C6__ctorMFZC8demangle1C", "demangle.C.this"),
    ("_D8demangle3fooFZ3barMFZv", "demangle.foo.bar"), ("_D8demangle__T4testTaZQiFZv", "demangle.test.test"),
    ("_D8demangle11__T4testTaZ4testFZv", "demangle.test.test"), ("_D8demangle__T4testVii123ZQmFZv", "demangle.test.test"),
    ("_D8demangle1S6methodMxFNaNbNiNfZi", "demangle.S.method"), ("_D3std5stdio7writelnFAyaXv", "std.stdio.writeln"),
    ("_D8demangle4testFDFZaZv", "demangle.test"), ("_D8demangle4testFYv", "demangle.test"),
    ("_D8demangle4testFS3foo1SYv", "demangle.test"), ("_D8demangle__T4testTS3foo1SVii5ZQsFZv", "demangle.test.test"),
    ("_D8demangle12__ModuleInfoZ", "demangle.__ModuleInfo"),
    ("_D3foo3barQeFZv", "foo.bar.bar"),
    // Cut off, or no name at all.
    ("_D8demangle4testFaZ", "_D8demangle4testFaZ"), ("_D8demang", "_D8demang"), ("_D", "_D"), ("_Data_1", "_Data_1"),
  ])
  func `D names are a path, whatever the mode`(mangled: String, name: String) {
    for mode: DemangleMode in [.simplified, .templates, .full] { #expect(Demangler.demangle(mangled, mode) == name) }
  }

  @Test func `D names of nested types and references that lead in circles come out as they were`() {
    let hostile = [
      "_D1a" + String(repeating: "FS1b", count: 4_000), "_D1a" + String(repeating: "FDFA", count: 3_000) + "Zv",
      "_D1a" + String(repeating: "__T1bTS1c", count: 1_500), "_D1aQbQbQbFQbQbZv" + String(repeating: "Qb", count: 4_000) + "!",
      "_D1aF" + String(repeating: "P", count: 16_000) + "vZv", "_D99999999999999999999a", "_D1aQZZZZZZZZZZZZZZZZZZZZZa",
    ]
    for name in hostile { #expect(Demangler.demangle(name, .full) == name) }
  }

  @Test func `hostile manglings neither fill memory nor exhaust the stack`() {
    // C++: each level names the one before it twice.
    var doubled = "_Z1fSt4pairIiiE"
    for level in 0..<30 {
      doubled +=
        "St4pairIS\(level == 0 ? "" : String(level - 1, radix: 36).uppercased())_S\(level == 0 ? "" : String(level - 1, radix: 36).uppercased())_E"
    }
    #expect(Demangler.demangle(doubled, .full).utf8.count <= 65_536)
    // Swift: the same with dictionaries.
    for levels in [14, 25] {
      var type = "SaySiG"
      for level in 0..<levels { type = "SDy" + type + "A" + String(UnicodeScalar(UInt8(65 + level))) + "G" }
      #expect(Demangler.demangle("$s" + type + "D", .full) == "$s" + type + "D")
    }
    // Nesting without end.
    for piece in ["P", "1aI", "N", "RS_", "Dp", "cv", "M", "F", "XcvT_I", "Ul", "Z", "dtcl"] {
      for count in [400, 8_000] {
        let name = "_Z1f" + String(repeating: piece, count: count / piece.utf8.count)
        #expect(!Demangler.demangle(name, .full).isEmpty)
      }
    }
    for piece in ["INv", "NvB_", "R", "TT", "FK", "D", "M"] {
      let name = "_RNv" + String(repeating: piece, count: 2_000)
      #expect(!Demangler.demangle(name, .full).isEmpty)
    }
    for piece in ["Say", "SaySg", "yyc", "m", "4main3foo", "SiSgSg", "x_", "Sg", "TW", "fU_"] {
      let name = "$s4main3foo" + String(repeating: piece, count: 3_000)
      #expect(!Demangler.demangle(name, .full).isEmpty)
    }
  }
}

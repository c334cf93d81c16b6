// Patterns and texts at random, and what Go's regexp says of them: `go run oracle.go SEED COUNT CASES ANSWERS` writes a
// line of JSON a case to CASES, and the answer to it to ANSWERS, as regex-groups writes its own.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var r *rand.Rand

func pick(of ...string) string { return of[r.Intn(len(of))] }

func atom(depth int) string {
	switch r.Intn(14) {
	case 0:
		return pick(".", "[^b]", "\\d", "\\w", "\\s", "\\S", "[[:alpha:]]", "\\D", "\\W", "\\pL", "\\PN")
	case 1:
		return pick("[a-c]", "[ab]", "[^a-b\\n]", "[α-γ]", "[a\\-]", "[0-9a]")
	case 2:
		return pick("^", "$", "\\b", "\\B", "\\A", "\\z", "(?m:^)", "(?m:$)")
	case 3, 4:
		if depth > 0 {
			return "(" + node(depth-1) + ")"
		}
	case 5:
		if depth > 0 {
			return "(?P<n" + strconv.Itoa(r.Intn(1000000)) + ">" + node(depth-1) + ")"
		}
	case 6:
		if depth > 0 {
			return "(?" + pick("", "i", "s", "-s", "U", "i-s") + ":" + node(depth-1) + ")"
		}
	case 7:
		return pick("é", "ß", "α", "日", "\\.", "\\n", "\\x{e9}", "\\Qa.b\\E", "ſ", "K")
	}
	return pick("a", "b", "c", "ab", "-", "1", "A")
}

func piece(depth int) string {
	text := atom(depth)
	switch r.Intn(6) {
	case 0:
		text += pick("*", "+", "?", "*?", "+?", "??")
	case 1:
		if r.Intn(3) == 0 {
			low := r.Intn(3)
			text += pick(fmt.Sprintf("{%d}", low), fmt.Sprintf("{%d,}", low), fmt.Sprintf("{%d,%d}", low, low+r.Intn(3))) + pick("", "", "?")
		}
	}
	return text
}

func node(depth int) string {
	var parts []string
	for i := 0; i <= r.Intn(3); i++ {
		text := ""
		for j := 0; j < r.Intn(5); j++ {
			text += piece(depth)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "|")
}

func text() string {
	all := ""
	for i := 0; i < r.Intn(9); i++ {
		all += pick("a", "b", "c", "A", "B", "1", "-", ".", "\n", " ", "é", "ß", "α", "β", "日", "ſ", "K", "k", "ab", "a.b")
	}
	return all
}

func main() {
	seed, _ := strconv.ParseInt(os.Args[1], 10, 64)
	count, _ := strconv.Atoi(os.Args[2])
	r = rand.New(rand.NewSource(seed))
	open := func(path string) (*os.File, *bufio.Writer) {
		file, err := os.Create(path)
		if err != nil {
			panic(err)
		}
		return file, bufio.NewWriter(file)
	}
	caseFile, cases := open(os.Args[3])
	answerFile, answers := open(os.Args[4])
	for i := 0; i < count; i++ {
		pattern := node(3)
		texts := []string{}
		for j := 0; j < 8; j++ {
			texts = append(texts, text())
		}
		line, _ := json.Marshal(map[string]any{"p": pattern, "t": texts})
		fmt.Fprintln(cases, string(line))
		// As Prometheus' relabelling anchors it; a pattern that is no whole one by itself is refused.
		if _, err := regexp.Compile(pattern); err != nil {
			fmt.Fprintln(answers, "invalid")
			continue
		}
		compiled, err := regexp.Compile("^(?s:" + pattern + ")$")
		if err != nil {
			fmt.Fprintln(answers, "invalid")
			continue
		}
		var said []string
		for _, text := range texts {
			found := compiled.FindStringSubmatchIndex(text)
			if found == nil {
				said = append(said, "none")
				continue
			}
			var numbers []string
			for _, number := range found {
				numbers = append(numbers, strconv.Itoa(number))
			}
			said = append(said, strings.Join(numbers, ","))
		}
		fmt.Fprintln(answers, strings.Join(said, "|"))
	}
	cases.Flush()
	answers.Flush()
	caseFile.Close()
	answerFile.Close()
}

package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sample = "./testdata/sample"

// patient prevents a surviving fault from being taken for one that hangs, even on a slow machine.
const patient = "-grace=5m"

// command runs the tool as main does.
func command(t *testing.T, args ...string) (status int, out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status, err = run(t.Context(), args, &stdout, &stderr)
	t.Log(stderr.String())
	return status, stdout.String(), err
}

func TestMutate_ListsTheSurvivorsOfTheSample(t *testing.T) {
	status, out, err := command(t, "-files", "sample.go", "-p", "2", patient, "-equivalent", sample+"/equivalent.txt", sample)
	require.NoError(t, err)
	assert.Equal(t, 1, status)
	// Exactly what the comments of the sample promise.
	assert.Equal(t, `internal/mutate/testdata/sample/sample.go:26: list.has
	n < len(l.items)  =>  n <= len(l.items): survives
internal/mutate/testdata/sample/sample.go:47: name
	case 9  =>  case removed: survives
internal/mutate/testdata/sample/sample.go:89: unread
	true  =>  false: survives, no test comes here
44 faults: 40 killed, 1 equivalent, 3 survive
`, out)
}

func TestMutate_EveryFaultListedOrKilledIsSuccess(t *testing.T) {
	status, out, err := command(t, patient, "-ignore", `list\.has|name|unread`, "-files", "sample.go", "-equivalent", sample+"/equivalent.txt", sample)
	require.NoError(t, err)
	assert.Zero(t, status, out)
	assert.Regexp(t, `^\d+ faults: \d+ killed, 1 equivalent, 0 survive\n$`, out)
}

// Labels, goto, select, generic functions, places that require constants, renamed imports, named
// booleans: with the switches, the code still compiles and behaves as before.
func TestMutate_FormsOfTheLanguageCompile(t *testing.T) {
	status, out, err := command(t, "-list", "-files", "forms.go", sample)
	require.NoError(t, err)
	assert.Zero(t, status)
	for _, want := range []string{"wait  =>  wait - 1s\n", "big  =>  big + 1\n", "case low  =>  case removed\n", "with 3*tm.Second - 1s\n", "recover() == nil  =>  recover() != nil\n"} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "ratio +", "a fraction is not a limit")
	status, out, err = command(t, "-skip", "Test[^F]", "-ignore", ".*", "-files", "forms.go", sample)
	assert.Equal(t, 2, status, out)
	assert.ErrorContains(t, err, "nothing to change")
	status, out, err = command(t, "-skip", "Test[^F]", "-ignore", "f.*|var .*", "-files", "forms.go", patient, sample)
	require.NoError(t, err)
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "const wait\n")
	assert.NotContains(t, out, "limit")
}

// A fault may turn a loop into an endless one, or change it in another way.
func TestMutate_TestsThatDoNotEndKill(t *testing.T) {
	status, out, err := command(t, "-files", "loop.go", "-p", "2", "-grace", "2s", sample)
	require.NoError(t, err)
	assert.Zero(t, status, out)
	assert.Equal(t, "5 faults: 5 killed, 0 equivalent, 0 survive\n", out)
}

// An entry without a fault could later hide a new one. It is therefore reported whichever part of
// the package is selected, and before the tests run.
func TestMutate_EntriesThatFitNothingAreReported(t *testing.T) {
	list := filepath.Join(t.TempDir(), "equivalent.txt")
	require.NoError(t, os.WriteFile(list, []byte(`
internal/mutate/testdata/sample/sample.go: clamp
n > 10  =>  n >= 10
At 10 the assignment changes nothing.

internal/mutate/testdata/sample/sample.go: clamp
n > 11  =>  n >= 11
The code is not so any more.

internal/mutate/testdata/sample/gone.go: clamp
n > 10  =>  n >= 10
The file is gone.

somewhere/else/file.go: f
a  =>  b
Its package is gone.

internal/mutate/testdata/sample/sample.go: sum
n > 10  =>  n >= 10
The function is not asked for this time.

internal/mutate/testdata/sample/sample.go: clamp
n > 10  =>  n >= 10
It stands above.

internal/mutate/testdata/broken/broken.go: f
a  =>  b
The package is not changed this time.
`), 0o600))
	status, out, err := command(t, "-ignore", `[^c].*|class|check`, "-files", "sample.go", "-equivalent", list, sample)
	require.NoError(t, err)
	assert.Equal(t, 1, status)
	clamp := "internal/mutate/testdata/sample/sample.go: clamp: "
	assert.Equal(t, list+":6: fits no fault: "+clamp+`n > 11  =>  n >= 11
`+list+`:10: fits no fault: internal/mutate/testdata/sample/gone.go: clamp: n > 10  =>  n >= 10
`+list+`:14: fits no fault: somewhere/else/file.go: f: a  =>  b
`+list+`:18: fits no fault: internal/mutate/testdata/sample/sample.go: sum: n > 10  =>  n >= 10
`+list+":22: fits no fault: "+clamp+`n > 10  =>  n >= 10
`, out)
}

func TestMutate_EntriesThatATestKillsAreReported(t *testing.T) {
	list := filepath.Join(t.TempDir(), "equivalent.txt")
	require.NoError(t, os.WriteFile(list, []byte(`internal/mutate/testdata/sample/sample.go: clamp
n > 10  =>  n >= 10
At 10 the assignment changes nothing.

internal/mutate/testdata/sample/sample.go: clamp
n = 10  =>  dropped
A test kills it.
`), 0o600))
	status, out, err := command(t, patient, "-ignore", `[^c].*|class|check`, "-files", "sample.go", "-equivalent", list, sample)
	require.NoError(t, err)
	assert.Equal(t, 1, status)
	assert.Contains(t, out, list+":5: listed, but killed by ")
	assert.Contains(t, out, "1 equivalent, 0 survive")
}

// This test also reads the list of this module, because its faults are otherwise tried only on
// demand: an entry must not outlive its code in the meantime.
func TestMutate_TheListOfThisModuleFitsItsCode(t *testing.T) {
	known, err := readEquivalent("equivalent.txt")
	require.NoError(t, err)
	require.NotEmpty(t, known)
	args := []string{"-list", "-equivalent", "equivalent.txt"}
	seen := map[string]bool{}
	for _, one := range known {
		dir := path.Dir(one.file())
		if _, err := os.Stat(filepath.Join("..", "..", dir)); err == nil && !seen[dir] {
			args = append(args, "../../"+dir)
		}
		seen[dir] = true
	}
	status, out, err := command(t, args...)
	require.NoError(t, err)
	if status != 0 {
		t.Error(out)
	}
}

func TestMutate_ATestThatFailsWithoutAFaultIsAnError(t *testing.T) {
	status, _, err := command(t, "./testdata/broken")
	assert.Equal(t, 2, status)
	require.ErrorContains(t, err, "TestBroken fails without any mutant")

	status, out, err := command(t, patient, "-skip", "Broken", "./testdata/broken")
	require.NoError(t, err)
	assert.Zero(t, status)
	assert.Equal(t, "1 faults: 1 killed, 0 equivalent, 0 survive\n", out)
}

func TestMutate_TheTestsOfAnotherPackageCount(t *testing.T) {
	status, out, err := command(t, patient, "-files", "sample.go", "-ignore", "list.has|name", "-tests", "../ocsptest,./testdata/broken", "-skip", "Broken", sample)
	require.NoError(t, err, "a package without tests is skipped")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "0 killed")
	assert.NotContains(t, out, "survives\n", "no test of that package reaches the sample")
}

func TestMutate_BadUseIsAnError(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.txt")
	require.NoError(t, os.WriteFile(bad, []byte("one line\n"), 0o600))
	rows := map[string][]string{
		"an unknown flag":             {"-nothing"},
		"a pattern that is none":      {"-files", "(", sample},
		"a package that is not there": {"./testdata/nowhere"},
		"a list that is not there":    {"-equivalent", "nowhere.txt", sample},
		"a list with half an entry":   {"-equivalent", bad, sample},
		"a file that is not there":    {"-files", "nowhere.go", sample},
		"tests that are not there":    {"-tests", "./testdata/nowhere", sample},
		"a package without tests":     {"-tests", "../ocsptest", sample},
	}
	if runtime.GOOS == "linux" { // elsewhere the memory of a process may be unlimited
		rows["tests that cannot be started"] = []string{"-memory", "1", sample}
	}
	for name, args := range rows {
		t.Run(name, func(t *testing.T) {
			status, out, err := command(t, args...)
			assert.Equal(t, 2, status)
			assert.Error(t, err)
			assert.Empty(t, out)
		})
	}
}

func TestMutate_ListTellsTheFaultsWithoutATest(t *testing.T) {
	status, out, err := command(t, "-list", "-files", "sample.go", sample)
	require.NoError(t, err)
	assert.Zero(t, status)
	assert.Equal(t, 44, strings.Count(out, arrow))
	for _, want := range []string{
		"sample.go:10: const maxLen\n\tmaxLen  =>  maxLen + 1\n",
		"sample.go:11: const window\n\twindow  =>  window - 1s\n",
		"sample.go:31: check\n\treturn errLong  =>  return nil\n",
		"sample.go:37: first\n\tp != nil && len(p.items) > 0  =>  p != nil || len(p.items) > 0\n",
		"sample.go:74: sum\n\ttotal += n  =>  dropped\n",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "kindOne +", "a member of an enumeration is not a limit")
	assert.NotContains(t, out, "other.go", "this file is not built")
}

// Mutants with the same texts in one function are distinguished by their order.
func TestMutant_KeyDoesNotDependOnLines(t *testing.T) {
	m := newMaker()
	for _, line := range []int{3, 9} {
		m.count(&mutant{id: m.next, file: "a.go", line: line, function: "f", original: "x", mutated: "y", repeated: 1})
	}
	m.count(&mutant{id: m.next, file: "a.go", line: 12, function: "g", original: "x", mutated: "y", repeated: 1})
	assert.Equal(t, "a.go: f\nx  =>  y", m.mutants[0].key())
	assert.Equal(t, "a.go: f\nx  =>  y #2", m.mutants[1].key())
	assert.Equal(t, "a.go: g\nx  =>  y", m.mutants[2].key())
	assert.Equal(t, "a b c", oneLine("a\n\tb   c\n"))
	long := strings.Repeat("x", 300)
	assert.Len(t, oneLine(long), 165)
}

// Two places with the same text have the same beginning and end in the shortened form; the ordinal
// distinguishes them.
func TestEdits_OpenOutsideInAndCloseInsideOut(t *testing.T) {
	var e edits
	e.openAt(0, "<1 ")
	e.openAt(0, "<2 ")
	e.closeAt(1, " 2>")
	e.replace(1, 2, ",")
	e.openAt(2, "<3 ")
	e.closeAt(3, " 3>")
	e.closeAt(3, " 1>")
	assert.Equal(t, "<1 <2 a 2>,<3 b 3> 1>!", string(e.apply([]byte("a<b!"))))
}

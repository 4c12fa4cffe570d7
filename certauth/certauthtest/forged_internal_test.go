package certauthtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The file contains exactly what its documentation promises.
func TestForged_TheFileIsWhole(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(forgedJSON))
	decoder.DisallowUnknownFields()
	var file struct {
		Schema int `json:"schema"`
		forgedFile
	}
	require.NoError(t, decoder.Decode(&file))
	assert.Equal(t, 1, file.Schema)
	assert.GreaterOrEqual(t, len(file.Rows), 250)

	words := map[string]bool{wordTunnels: true}
	for _, layout := range file.FrontEnds {
		words[layout.Name], words[layout.Certificate.Format] = true, true
		assert.NotEmpty(t, layout.Note, "%s does not name its source", layout.Name)
	}
	rows := map[string]bool{}
	for _, row := range file.Rows {
		assert.False(t, rows[row.Name], "two rows are called %q", row.Name)
		rows[row.Name] = true
		assert.NotEmpty(t, row.Requests, row.Name)
		assert.NotEmpty(t, row.Why, row.Name)
		assert.NotContains(t, row.Why, "\n", row.Name)
		for _, word := range slices.Concat(row.For, row.Except) {
			assert.True(t, words[word], "%q is for %q, which is neither a front end nor a form", row.Name, word)
		}
		assert.Contains(t, []string{"", senderFrontEnd, senderStranger}, row.Sender, row.Name)
		assert.Contains(t, []string{"", transportHTTP1, transportHTTP2}, row.Transport, row.Name)
		control := strings.HasPrefix(row.Name, "control: ")
		refused := slices.ContainsFunc(row.Requests, func(a attempt) bool { return a.Expect != expectAccepted })
		if control {
			assert.Equal(t, expectAccepted, row.Requests[len(row.Requests)-1].Expect, row.Name)
		} else {
			assert.True(t, refused, "%q is not a forgery", row.Name)
		}
		for i, a := range row.Requests {
			assert.Contains(t, []string{"", expectRefused, expectAccepted, expectHarmless, expectAnother}, a.Expect, row.Name)
			assert.Contains(t, []string{"", verdictSuccess, verdictFailure, verdictNone}, a.Flags, row.Name)
			assert.False(t, a.Sender != "" && i > 0 && !a.NewConnection, "%q changes the sender on one connection", row.Name)
			assert.NotContains(t, strings.Map(func(c rune) rune { return min(c, 0x100) }, a.Preface), "\u0100", "%q: a character of the preface is not a byte", row.Name)
			assert.False(t, a.Certificate != nil && a.Forwarded != "", "%q specifies twice what is forwarded", row.Name)
		}
	}
}

// No row differs from another one only in a number.
func TestForged_NoRowIsACopy(t *testing.T) {
	digits := regexp.MustCompile(`\b[0-9]{3,}\b`) // numbers with fewer digits are flags and versions
	seen := map[string]string{}
	for _, row := range forged().Rows {
		bare := row
		bare.Name, bare.Why, bare.Origin = "", "", nil
		text, err := json.Marshal(bare)
		require.NoError(t, err)
		key := digits.ReplaceAllString(string(text), "0")
		assert.Empty(t, seen[key], "%q is a copy of it", row.Name)
		seen[key] = row.Name
	}
}

// Every row can be sent to at least one front end whose service reads all headers that it can.
func TestForged_NoRowIsDead(t *testing.T) {
	ca := NewCA(t, "root")
	client := ca.Issue(t, "client")
	for range 100 { // of 100, one takes padding in base64 and has a plus sign
		if text := client.Base64(); strings.HasSuffix(text, "=") && strings.Contains(text, "+") {
			break
		}
		client = ca.Issue(t, "client")
	}
	alive := map[string]bool{}
	for _, name := range FrontEnds() {
		test := HandlerTest{
			FrontEnd: FrontEnd{Name: name}, Client: client, Issuer: ca, Path: "/orders", Exempt: "/health",
			Chain: true, Fingerprint: true, Secret: http.Header{"X-Gate": {"correct horse battery staple"}}, Method: http.MethodGet,
			Other: ca.Issue(t, "other"), Batch: func(part string) (path, contentType, body string) { return "/batch", "text/plain", part },
		}
		run := newRendering(t, test)
		for i := range forged().Rows {
			row := &forged().Rows[i]
			if !row.isFor(run.layout, true) {
				continue
			}
			var failed error
			for j := range row.Requests {
				_, err := run.render(&row.Requests[j])
				failed = errors.Join(failed, err)
			}
			var left leftOutError
			if failed != nil {
				require.ErrorAs(t, failed, &left, "%s: %q", name, row.Name)
				continue
			}
			alive[row.Name] = true
		}
	}
	for _, row := range forged().Rows {
		assert.True(t, alive[row.Name], "%q is never sent", row.Name)
	}
}

// FORGED.md explains every word of the file, and the file uses every word of the code.
func TestForged_EveryWordIsUsedAndDocumented(t *testing.T) {
	document, err := os.ReadFile("FORGED.md")
	require.NoError(t, err)
	text := string(forgedJSON)
	for name := range filterNames {
		assert.Contains(t, text, "|"+name, "filter %s is used nowhere", name)
		assert.Contains(t, string(document), "`"+name+"`", "filter %s is not documented", name)
	}
	for name := range certificateNames {
		assert.Contains(t, text, name)
		assert.Contains(t, string(document), "`"+name+"`", "certificate %s is not documented", name)
	}
	for _, of := range []any{attempt{}, row{}, layout{}, certificateHeader{}, chainHeader{}, flagHeader{}, fingerprintHeader{}} {
		for i := range reflect.TypeOf(of).NumField() {
			field := reflect.TypeOf(of).Field(i).Tag.Get("json")
			assert.Contains(t, text, `"`+field+`"`, "%T", of)
			assert.Contains(t, string(document), "`"+field+"`", "%T", of)
		}
	}
	for _, layout := range forged().FrontEnds {
		assert.Contains(t, string(document), "`"+layout.Certificate.Format+"`")
	}
}

func newRendering(t *testing.T, test HandlerTest) *tableRun {
	t.Helper()
	layout, err := test.FrontEnd.layout()
	require.NoError(t, err)
	return &tableRun{rendering: newRenderingOf(t, layout, &test)}
}

// A handler that does not answer has not refused.
func TestTestHandler_SilenceIsAFailure(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	silent := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over })
	test := HandlerTest{FrontEnd: FrontEnd{Name: "Nginx"}, Client: SelfSigned(t, "client"), Path: "/", Method: http.MethodGet}
	run := newRendering(t, test)
	run.limit = time.Second // no response is expected
	require.NoError(t, run.serve(silent))
	report := &tableReport{left: map[string]int{}}
	for _, transport := range []string{transportHTTP1, transportHTTP2} {
		row := forged().Rows[0]
		row.Transport = transport
		answers, err := run.send(&row)
		require.NoError(t, err)
		assert.True(t, answers[0].hung, transport)
		run.judge(&row, answers, report)
	}
	assert.Len(t, report.wrong, 2)
	assert.Contains(t, report.summary(), "0 forged requests refused, 2 rows wrong")
	assert.Contains(t, report.wrong[0], "is not answered")
}

// finding N135: nothing was sent at the same time, so that a handler that mixes requests up passed.
func TestTestHandler_SendsSomeRequestsAtTheSameTime(t *testing.T) {
	at := slices.IndexFunc(forged().Rows, func(r row) bool { return r.Concurrent > 0 })
	require.GreaterOrEqual(t, at, 0)
	row := &forged().Rows[at]
	var arrived atomic.Int64
	all := make(chan struct{})
	mixesUp := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		last := int(arrived.Add(1)) == row.Concurrent*len(row.Requests)
		if last {
			close(all)
		}
		<-all
		if !last {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	test := HandlerTest{FrontEnd: FrontEnd{Name: "Nginx"}, Client: SelfSigned(t, "client"), Path: "/", Method: http.MethodGet}
	run := newRendering(t, test)
	run.limit = rowLimit
	require.NoError(t, run.serve(mixesUp))
	answers, err := run.send(row)
	require.NoError(t, err)
	report := &tableReport{left: map[string]int{}}
	run.judge(row, answers, report)
	assert.Zero(t, report.hung, "the handler waits until all requests have come")
	assert.NotEmpty(t, report.wrong, "one of them gets in, or one of the client is refused")
}

// finding O28: the README promised 500 forged requests, which is the number of all rows; those for one front end were
// about 300 then.
func TestForged_TheReadmeSaysHowManyAreSent(t *testing.T) {
	for _, name := range []string{"../../README.md", "doc.go"} { // the latter is finding N123
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Contains(t, string(text), "about 400 forged requests", name)
	}
	for i := range forged().FrontEnds {
		layout, sent := &forged().FrontEnds[i], 0
		for j := range forged().Rows {
			if row := &forged().Rows[j]; row.isFor(layout, false) {
				for _, request := range row.Requests {
					if request.Expect == expectRefused {
						sent++
					}
				}
			}
		}
		assert.InDelta(t, 400, sent, 35, layout.Name)
	}
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// result is the result of a row.
type result struct {
	row
	got  outcome
	body []byte
}

func (r result) asWanted() bool { return r.got == r.want }

// patience bounds how long a row with eventually is repeated.
const patience = 5 * time.Second

// play makes every call and prints the table. It returns the number of unexpected outcomes.
func play(ctx context.Context, tb certauthtest.TB, out io.Writer, w *world, rows []row) int {
	tb.Helper()
	var results []result
	for _, r := range rows {
		if r.before != nil {
			r.before(tb)
		}
		results = append(results, w.ask(ctx, tb, r))
	}
	wrong := printTable(tb, out, results)
	if !printBodies(tb, out, results) {
		wrong++
	}
	return wrong
}

// ask makes the call of a row, repeatedly if the row permits a delay.
func (w *world) ask(ctx context.Context, tb certauthtest.TB, r row) result {
	tb.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for began := time.Now(); ; {
		got := result{row: r}
		got.got, got.body = w.send(ctx, tb, r.call)
		if got.asWanted() || !r.eventually || time.Since(began) > patience {
			return got
		}
		<-again.C
	}
}

// send makes one call and collects what the caller and the operator learn.
func (w *world) send(ctx context.Context, tb certauthtest.TB, c call) (outcome, []byte) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, address := w.front.Client(c.certificate), w.front.URL
	if c.direct {
		client, address = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, w.app
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+cmp.Or(c.path, "/"), http.NoBody)
	if err != nil {
		tb.Fatalf("request: %v", err)
	}
	if c.header != nil {
		request.Header = c.header.Clone()
	}
	w.journal.reset()
	response, err := client.Do(request)
	if err != nil {
		tb.Fatalf("request: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatalf("response: %v", err)
	}
	reason, who := w.journal.entry()
	return outcome{status: response.StatusCode, reason: reason, who: who}, body
}

// printTable prints one line per row, followed by the expected outcome of each wrong one.
func printTable(tb certauthtest.TB, out io.Writer, results []result) (wrong int) {
	tb.Helper()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(tb, table, "\t\tWHAT THE CALLER DID\tSTATUS\tWANTED\tREASON, FOR THE OPERATOR\tWHO\n")
	for i, r := range results {
		mark := "ok"
		if !r.asWanted() {
			mark = "WRONG"
			wrong++
		}
		say(tb, table, "%s\t%d\t%s\t%d\t%d\t%s\t%s\n", mark, i+1, r.what,
			r.got.status, r.want.status, orDash(string(r.got.reason)), orDash(r.got.who))
	}
	if err := table.Flush(); err != nil {
		tb.Fatalf("print: %v", err)
	}
	say(tb, out, "\n%d of %d rows are as wanted: status, reason and who.\n", len(results)-wrong, len(results))
	for i, r := range results {
		if !r.asWanted() {
			say(tb, out, "Row %d is WRONG: want %s, got %s.\n", i+1, r.want, r.got)
		}
	}
	return wrong
}

// printBodies compares the bodies of all refusals. A caller that could distinguish them could find
// out, attempt by attempt, what a better forgery needs.
func printBodies(tb certauthtest.TB, out io.Writer, results []result) bool {
	tb.Helper()
	var first []byte
	count, same := 0, true
	for _, r := range results {
		if r.got.status != http.StatusUnauthorized {
			continue
		}
		if count == 0 {
			first = r.body
		}
		count++
		same = same && bytes.Equal(r.body, first)
	}
	if !same {
		say(tb, out, "WRONG: the %d bodies of status 401 are not the same.\n", count)
		return false
	}
	say(tb, out, "All %d refusals with 401 have the same body, byte for byte: %s\n", count, bytes.TrimSpace(first))
	return true
}

func (o outcome) String() string {
	return fmt.Sprintf("%d, reason %s, who %s", o.status, orDash(string(o.reason)), orDash(o.who))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

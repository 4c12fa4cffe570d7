package certauthtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tableRun is one run of the table against one service.
type tableRun struct {
	rendering

	plain    endpoint // for HTTP/1
	secure   endpoint // for HTTP/2 over TLS; zero if there is none
	direct   bool     // the server itself speaks, or may speak, HTTP/2 without TLS
	limit    time.Duration
	admitted int    // status of the response to the client
	content  []byte // body of that response
}

// tableReport is the result of a run.
type tableReport struct {
	frontEnd string
	refused  int
	hung     int
	left     map[string]int // number of skipped rows by reason
	wrong    []string
	advice   string // if the test rather than the service may be wrong
}

func (r *tableReport) summary() string {
	text := fmt.Sprintf("%s: %d forged requests refused, %d rows wrong", r.frontEnd, r.refused, len(r.wrong))
	var left []string
	for why, n := range r.left {
		left = append(left, fmt.Sprintf("%d where %s", n, why))
	}
	slices.Sort(left)
	if len(left) > 0 {
		text += "; skipped: " + strings.Join(left, "; ")
	}
	return text
}

// all runs the table. The client must get in before and after it.
func (run *tableRun) all() *tableReport {
	run.tb.Helper()
	report := &tableReport{frontEnd: run.test.FrontEnd.Name, left: map[string]int{}}
	for _, when := range []string{"before the table", "after the table"} {
		if when == "after the table" {
			run.rows(report)
		}
		for _, transport := range []string{transportHTTP1, transportHTTP2} {
			if err := run.client(transport); err != nil {
				report.wrong = append(report.wrong, fmt.Sprintf("HandlerTest.Client is not accepted over %s %s, so the table proves nothing: %v", transport, when, err))
			}
		}
		if when == "before the table" && len(report.wrong) == 0 && run.test.Other != nil {
			if err := run.other(); err != nil {
				report.wrong = append(report.wrong, "HandlerTest.Other: "+err.Error())
			}
		}
		if len(report.wrong) > 0 && when == "before the table" {
			return report
		}
	}
	return report
}

// client sends the genuine request.
func (run *tableRun) client(transport string) error {
	run.tb.Helper()
	if transport == transportHTTP2 && run.secure.address == "" {
		return nil
	}
	genuine := row{
		Transport: transport,
		Requests:  []attempt{{Sender: senderFrontEnd, Forwarded: "genuine", Target: "{path}", Version: "HTTP/1.1", Expect: expectAccepted}},
	}
	if run.test.Outside {
		genuine.Requests[0].Sender, genuine.Requests[0].Forwarded = senderClient, "none"
	}
	answers, err := run.send(&genuine)
	if errors.Is(err, errNoHTTP2) {
		run.secure = endpoint{}
		return nil
	}
	if err != nil {
		return err
	}
	answer := answers[0]
	if answer.failure != "" {
		return errors.New(answer.failure)
	}
	if run.admitted == 0 && run.test.GotIn == nil && (answer.response.StatusCode < 200 || answer.response.StatusCode >= 400) {
		return run.notIn(answer.response.StatusCode)
	}
	if run.admitted == 0 {
		run.admitted, run.content = answer.response.StatusCode, bytes.TrimSpace(answer.body)
	}
	if !run.gotIn(&answer) {
		return run.notIn(answer.response.StatusCode)
	}
	return nil
}

// other sends the genuine requests of both clients, whose answers must be different ones.
func (run *tableRun) other() error {
	run.tb.Helper()
	if run.test.Outside {
		return nil // nobody has a certificate there
	}
	both := row{Transport: transportHTTP1}
	for _, who := range []string{"genuine", "other"} {
		both.Requests = append(both.Requests, attempt{Sender: senderFrontEnd, Forwarded: who, Target: "{path}", Version: "HTTP/1.1", NewConnection: true})
	}
	answers, err := run.send(&both)
	switch {
	case err != nil:
		return err
	case answers[1].response == nil:
		return errors.New(answers[1].failure)
	case !run.gotIn(&answers[1]):
		return run.notIn(answers[1].response.StatusCode)
	case !run.isForClient(&answers[0]):
		return errors.New("the body of the response to Client is empty, or another one each time; Path must be one at which it tells who the client is")
	case run.isForClient(&answers[1]):
		return errors.New("its response has the body of that to Client; Path must be one at which it tells who the client is")
	}
	return nil
}

func (run *tableRun) notIn(status int) error {
	return fmt.Errorf("the answer is %d; %s", status, run.step(status))
}

// step says what to do if the client did not get in.
func (run *tableRun) step(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the service's log says why, if certauth.Config has a Logger"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMisdirectedRequest:
		return "HandlerTest.Method and Path must select a request that the handler serves, for the host " + run.test.Host + " (HandlerTest.Host)"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "switch limits on the rate of requests, of refusals, or of requests at the same time, off for this test"
	}
	return "a client that gets in gets 2xx or 3xx"
}

// mostHung bounds how often the full time limit of a row is spent.
const mostHung = 3

func (run *tableRun) rows(report *tableReport) {
	run.tb.Helper()
	for i := range forged().Rows {
		row := &forged().Rows[i]
		if report.hung > mostHung {
			report.wrong = append(report.wrong, "the rest of the table was not sent, because too many requests were not answered")
			return
		}
		if !row.isFor(run.layout, run.test.Tunnels) {
			continue
		}
		answers, err := run.send(row)
		var left leftOutError
		switch {
		case errors.As(err, &left):
			report.left[string(left)]++
		case err != nil:
			report.wrong = append(report.wrong, fmt.Sprintf("%q could not be sent: %v", row.Name, err))
		default:
			run.judge(row, answers, report)
		}
	}
}

// isFor reports whether the row applies to the front end, by its name, the form of its header, or the tunnels that it
// makes.
func (r *row) isFor(l *layout, tunnels bool) bool {
	matches := func(word string) bool {
		return word == l.Name || word == l.Certificate.Format || tunnels && word == wordTunnels
	}
	return (len(r.For) == 0 || slices.ContainsFunc(r.For, matches)) && !slices.ContainsFunc(r.Except, matches)
}

func (r *row) fromStranger() bool {
	return slices.ContainsFunc(r.Requests, func(a attempt) bool { return a.Sender == senderStranger })
}

// judge compares the answers with the row's expectation.
func (run *tableRun) judge(row *row, answers []answer, report *tableReport) {
	if row.Requests[0].Expect == expectHarmless && run.isBlindFor(&answers[0]) {
		report.left["the answer for everybody cannot be told from that for Client"]++
		return
	}
	for i := range answers {
		answer, request := &answers[i], &row.Requests[i]
		if i > 0 && !request.NewConnection && answer.response == nil && answers[i-1].isLast() && request.Expect == expectAccepted {
			continue // a service may close the connection after a refusal
		}
		wrong := run.mistake(request.Expect, answer)
		switch {
		case answer.hung:
			report.hung++
		case wrong == "" && !run.gotIn(answer):
			report.refused++
		}
		if wrong == "" {
			continue
		}
		if strings.HasPrefix(wrong, "GOT IN") && !answer.takenOver && run.test.GotIn == nil {
			report.advice = "\nIf a caller who is refused rightly gets such a response, as of a page for everybody or one to sign in, set HandlerTest.GotIn."
		}
		which := ""
		if len(answers) > 1 {
			which = fmt.Sprintf(" (request %d of %d)", i+1, len(answers))
		}
		text := fmt.Sprintf("%q%s %s: %s", row.Name, which, wrong, row.Why)
		if len(row.Origin) > 0 {
			text += " [" + strings.Join(row.Origin, ", ") + "]"
		}
		report.wrong = append(report.wrong, text)
	}
}

// mistake says what is wrong about an answer, or returns "".
func (run *tableRun) mistake(expect string, answer *answer) string {
	if run.test.Outside && expect != expectHarmless && expect != expectAnother {
		expect = expectRefused
	}
	in := run.gotIn(answer)
	switch {
	case expect == expectAnother && run.isForClient(answer):
		return "GOT IN, " + answer.status() + " with the content for HandlerTest.Client"
	case expect == expectHarmless && run.showsContent(answer):
		return "GOT IN, " + answer.status() + " with the content for clients"
	case answer.hung:
		return "is not answered"
	case in && expect == expectRefused && !run.admits(answer):
		return "GOT IN, " + answer.status() + " and then the content for clients: does the handler run after the refusal?"
	case in && expect == expectRefused:
		return "GOT IN, " + answer.status()
	case !in && expect == expectAccepted && answer.response != nil:
		return "is refused, though it is genuine, " + answer.status() + " (" + run.step(answer.response.StatusCode) + ")"
	case !in && expect == expectAccepted:
		return "is refused, though it is genuine, " + answer.status()
	}
	return ""
}

func (run *tableRun) gotIn(a *answer) bool {
	return run.admits(a) || run.test.GotIn == nil && run.showsContent(a)
}

// showsContent reports whether the answer has the content for clients, whatever its status.
func (run *tableRun) showsContent(a *answer) bool {
	switch {
	case a.takenOver:
		return true
	case a.failure != "" || a.response == nil:
		return false
	case run.test.GotIn != nil:
		return run.test.GotIn(a.response, a.body)
	}
	return len(run.content) > 0 && bytes.HasSuffix(bytes.TrimSpace(a.body), run.content)
}

// isForClient reports whether the answer, or a part of it, is the one to HandlerTest.Client.
func (run *tableRun) isForClient(a *answer) bool {
	return a.takenOver || a.failure == "" && a.response != nil && len(run.content) > 0 && bytes.Contains(a.body, run.content)
}

// isBlindFor reports whether an answer that everybody may get looks like one for clients.
func (run *tableRun) isBlindFor(a *answer) bool {
	return run.test.GotIn == nil && len(run.content) == 0 || !a.takenOver && run.showsContent(a)
}

// admits reports whether the status, or HandlerTest.GotIn, says that the request was accepted.
func (run *tableRun) admits(a *answer) bool {
	switch {
	case a.takenOver:
		return true
	case a.failure != "" || a.response == nil:
		return false
	case run.test.GotIn != nil:
		return a.response.StatusCode == http.StatusSwitchingProtocols || run.test.GotIn(a.response, a.body)
	}
	status := a.response.StatusCode
	return status == http.StatusSwitchingProtocols || status/100 == 2 || status/100 == run.admitted/100
}

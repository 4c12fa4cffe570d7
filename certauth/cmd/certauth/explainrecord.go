package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// record explains a refusal from its log record. Without a certificate, the tree is not judged.
func (e *explainer) record(name string) (*explanation, error) {
	content, err := e.p.read(name)
	if err != nil {
		return nil, err
	}
	var last *logRecord
	var kept []*logRecord               // of failed reloads that none of the same rule has followed
	first := map[[2]string]*logRecord{} // by reason and rule, with the words that a summary omits
	records, others := logRecords(content)
	slices.SortStableFunc(records, func(a, b *logRecord) int { return a.at().Compare(b.at()) }) // queries return the newest first
	inUse := ""
	for _, one := range records {
		inUse = cmp.Or(one.InUse, inUse)
		one.InUse = inUse
		key := [2]string{one.Reason, one.Rule}
		switch {
		case one.Msg != "" && !strings.HasPrefix(one.Msg, "certauth: "): // of the service itself, or of another package
		case one.Reason == "":
			if failed, ok := reloadMessages[one.Msg]; ok {
				kept = slices.DeleteFunc(kept, func(earlier *logRecord) bool { return earlier.Rule == one.Rule })
				if failed {
					kept = append(kept, one)
				}
			}
		case one.Detail != "" || first[key] == nil:
			first[key], last = one, one
		default:
			last = first[key]
		}
	}
	if last == nil && len(kept) > 0 {
		return e.kept(kept[len(kept)-1]), nil
	}
	if last == nil {
		text := "none has the attribute reason"
		if others > 0 {
			text = fmt.Sprintf("%d lines are no JSON, as slog.JSONHandler writes it", others)
		}
		return nil, fmt.Errorf("%s: no record of a refusal or of a failed reload: %s", name, text)
	}
	answer := &explanation{At: last.Time, Notes: []string{"a log record holds no certificate, so that the other rules are not judged"}}
	e.refusal(answer, &certauth.Error{Reason: certauth.Reason(last.Reason), Rule: last.Rule, Hint: last.Hint, Err: errors.New(last.Detail)})
	if answer.Next == "" {
		answer.Next = "this record only counts repeats; look for the first one with this reason and rule, whose hint is the next step"
	}
	if last.Msg == "certauth: "+string(certauth.OutcomeReported) {
		answer.Notes = append(answer.Notes, "the service let the request through all the same: InsecureReportOnly is set")
	}
	if strings.HasPrefix(last.Rule, "Require") {
		answer.Where = ""
		answer.Notes = append(answer.Notes, "the rule stands in the program, at the Require of this route, and not in the document")
	}
	if len(kept) > 0 {
		answer.Notes = append(answer.Notes, "a reload failed as well, so that the service may judge by older material: "+kept[len(kept)-1].Detail)
	}
	if answer.Subject = last.Subject; answer.Subject == "" {
		answer.Subject = last.Unverified
	}
	if e.doc == nil {
		return answer, nil
	}
	j := &judge{ctx: e.p.ctx, doc: e.doc, now: e.now, checkers: checkersOf(e.doc, nil)}
	if text, err := e.p.read(e.path); err == nil && last.InUse != "" && last.InUse != fmt.Sprintf("%x", sha256.Sum256(text)) {
		answer.Notes = append(answer.Notes, "the service used another version of this document, whose SHA-256 is "+last.InUse)
	}
	answer.Tree = j.tree(e.doc.Config.Policy)
	if decided := mark(answer.Tree, last.Rule); decided != nil && (decided.Rule == last.Rule || len(decided.Children) == 0) {
		decided.Verdict, decided.Reason, decided.Detail = verdictRefuses, last.Reason, last.Detail
	} else if strings.HasPrefix(last.Rule, "Policy") {
		if decided != nil {
			decided.Decides = false
		}
		answer.Notes = append(answer.Notes, "this document has no rule "+last.Rule+"; is it another version than the service's?")
	}
	return answer, nil
}

// stamps matches what az webapp log tail, kubectl and docker write in front of a record.
var stamps = regexp.MustCompile(`(?m)^[^{}"\n]* (\{"time":)`)

// logRecords returns the records in a log, and the number of lines that are no JSON: a service's other output is often
// in the same file. Of a record of the service itself, attributes of other types than expected stay empty.
func logRecords(content []byte) (records []*logRecord, others int) {
	content = stamps.ReplaceAll(bytes.TrimPrefix(content, []byte("\ufeff")), []byte("$1"))
	spare := 8 * len(content) // bytes to read of values that have several lines and no end; then each line is read by itself
	for {
		if content = bytes.TrimLeft(content, " \t\r\n"); len(content) == 0 {
			return records, others
		}
		text := content
		if spare <= 0 {
			text, _, _ = bytes.Cut(content, []byte("\n"))
		}
		reader := bytes.NewReader(text)
		decoder := json.NewDecoder(reader)
		var err error
		for err == nil {
			var value json.RawMessage
			if err = decoder.Decode(&value); err == nil {
				found, unread := recordsIn(value)
				records, others = append(records, found...), others+unread
			}
		}
		read := len(text) - reader.Len() - int(decoder.InputOffset())
		content = content[decoder.InputOffset():]
		if errors.Is(err, io.EOF) {
			continue
		}
		others++
		var line []byte
		line, content, _ = bytes.Cut(bytes.TrimLeft(content, " \t\r\n"), []byte("\n"))
		const ahead = 512 // as much the decoder reads in any case
		spare -= max(0, read-len(line)-ahead)
	}
}

// recordsIn returns the record, or those in the result of a query or another program's log: an entry, or a list of them, one
// attribute of which is a line of the service's log. It counts the lines that are no JSON.
func recordsIn(value json.RawMessage) (records []*logRecord, others int) {
	rows := []json.RawMessage{value}
	if err := json.Unmarshal(value, &rows); err != nil {
		rows = []json.RawMessage{value}
	}
	for _, row := range rows {
		one := &logRecord{}
		_ = json.Unmarshal(row, one) // attributes of other types stay empty
		line := []byte(cmp.Or(one.ResultDescription, one.Line, one.Log))
		if one.Msg != "" {
			line = nil // a record, of whatever the service writes into it
		}
		if json.Valid(line) {
			_ = json.Unmarshal(line, one)
		} else if len(line) > 0 {
			others++
		}
		records = append(records, one)
	}
	return records, others
}

// kept explains a reload that failed. Nobody was refused: the last good set stays in use.
func (e *explainer) kept(record *logRecord) *explanation {
	answer := &explanation{At: record.Time}
	e.refusal(answer, &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: record.Rule, Hint: record.Hint, Err: errors.New(record.Detail)})
	answer.Decision = decisionKept
	if answer.Next == "" {
		answer.Next = "repair the file or function that the rule names; until then the last good set stays in use, but a restart fails"
	}
	return answer
}

// decisionKept is the decision for a record of a failed reload.
const decisionKept = "kept"

// reloadMessages are the messages of reloads, of a rule's material and of a document, and whether they failed.
var reloadMessages = map[string]bool{
	"certauth: reload failed, last good set kept": true, "certauth: policy document kept": true,
	"certauth: reloaded": false, "certauth: policy document in use": false,
}

// logRecord is a record of a refusal or a failed reload as slog.JSONHandler writes it.
type logRecord struct {
	Time, Msg, Reason, Rule, Detail, Hint, Subject string

	ResultDescription, Line, Log string // of an entry of Log Analytics, Loki or Docker

	Unverified string `json:"subject_unverified"`
	InUse      string `json:"in_use"` // of this record, or of the one before
}

// at is the time of the record, or the zero time.
func (r *logRecord) at() time.Time {
	at, _ := time.Parse(time.RFC3339, r.Time)
	return at
}

package outbound

import (
	"context"
	"log/slog"
	"time"
)

// Outcome is the kind of an event, a short stable string that is safe as a metric label.
type Outcome string

// The outcomes.
const (
	OutcomeLoaded    Outcome = "loaded"    // a certificate or new server roots came into use, or the same can be read again after a failure
	OutcomeKept      Outcome = "kept"      // a reload failed and the loaded material stays in use; Err says why
	OutcomeWarned    Outcome = "warned"    // the certificate or its intermediate expires soon, a newer one or a file cannot be used, or every user can read the key file; Err says which
	OutcomePresented Outcome = "presented" // a server requested the certificate and received it; Err may hold a warning
	OutcomeAccepted  Outcome = "accepted"  // a server that received it answered the first request of a connection; Transport only
	OutcomeRefused   Outcome = "refused"   // the server or this package ended a connection; Err says why
)

// Event describes one occurrence, for metrics and audit. It never holds key material.
type Event struct {
	// Time is the time of the event, by Config.Now.
	Time time.Time
	// Outcome is the kind of the event.
	Outcome Outcome
	// Err is the error or warning. It is nil if nothing is wrong.
	Err *Error
	// Fingerprint is the SHA-256 digest of the certificate in hex. It is empty if there is no certificate.
	Fingerprint string
	// NotAfter is the end of the certificate's validity.
	NotAfter time.Time
	// Host is the server's name or address, if it is known: for a Transport, host and port of the URL; for a TLSConfig,
	// the name it was made for.
	Host string
	// Protocol is the TLS version, such as "TLS 1.3".
	Protocol string
}

// Reason returns the reason of Err, or the empty Reason if Err is nil.
func (e Event) Reason() Reason {
	if e.Err == nil {
		return ""
	}
	return e.Err.Reason
}

// tell reports an event to Config.Observe and, unless quiet, to Config.Logger. It recovers panics of either.
func (c *Certificate) tell(event Event, s *state, quiet bool) {
	defer func() { _ = recover() }()
	event.Time = c.config.Now()
	if s != nil {
		event.Fingerprint, event.NotAfter = s.fingerprint, s.leaf.NotAfter
	}
	defer c.log(&event, quiet)
	if c.config.Observe != nil {
		c.config.Observe(event)
	}
}

func (c *Certificate) log(event *Event, quiet bool) {
	if c.config.Logger == nil || quiet {
		return
	}
	level := slog.LevelWarn
	switch {
	case event.Err != nil:
	case event.Outcome == OutcomeLoaded:
		level = slog.LevelInfo
	default:
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !c.config.Logger.Enabled(ctx, level) {
		return
	}
	repeated, first := c.repeats(event)
	if !first {
		return
	}
	attrs := []slog.Attr{slog.String("fingerprint", event.Fingerprint), slog.Time("not_after", event.NotAfter)}
	if event.Host != "" {
		attrs = append(attrs, slog.String("host", event.Host))
	}
	if event.Protocol != "" {
		attrs = append(attrs, slog.String("protocol", event.Protocol))
	}
	if event.Err != nil {
		attrs = append(attrs, slog.String("reason", string(event.Err.Reason)), slog.String("error", event.Err.Error()), slog.String("hint", event.Err.Hint))
	}
	if repeated > 0 {
		attrs = append(attrs, slog.Int("repeated", repeated))
	}
	c.config.Logger.LogAttrs(ctx, level, "outbound: "+string(event.Outcome), attrs...)
}

// repeatInterval is the minimum time between two records about connections to one host, for one reason.
const repeatInterval = time.Minute

type repeatKey struct {
	host   string
	reason Reason
}

// repeatCount is the number of events since the last record.
type repeatCount struct {
	logged time.Time
	since  int
}

// repeats reports whether to log an event, and how many of its kind were not logged before.
func (c *Certificate) repeats(event *Event) (since int, first bool) {
	if event.Err == nil || event.Outcome != OutcomeRefused && event.Outcome != OutcomePresented {
		return 0, true
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	key := repeatKey{event.Host, event.Err.Reason}
	known, ok := c.repeated[key]
	if elapsed := event.Time.Sub(known.logged); ok && elapsed >= 0 && elapsed < repeatInterval {
		known.since++
		c.repeated[key] = known
		return 0, false
	}
	if c.repeated == nil || len(c.repeated) >= maxHosts {
		c.repeated = map[repeatKey]repeatCount{}
	}
	c.repeated[key] = repeatCount{logged: event.Time}
	return known.since, true
}

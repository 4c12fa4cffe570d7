package certauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

func levelOf(e *Event) slog.Level {
	if e.Err != nil {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// log writes the record of a request, unless it repeats another. Client text in it is quoted
// and cut when it is put into the event. The header's value is never part of it.
func (a *Authenticator) log(ctx context.Context, event *Event) {
	var seen repeated
	if event.Err != nil && !a.config.LogRepeats {
		var ended []repeated
		var first bool
		seen, first, ended = a.repeats.note(repeatKeyOf(event), event.Time)
		for _, kind := range ended {
			a.logEnded(event.Source, kind)
		}
		if !first {
			return
		}
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("source", event.Source), slog.String("peer", event.Peer.String()),
		slog.String("method", event.Method), slog.String("host", event.Host), slog.String("path", event.Path))
	if event.TraceID != "" {
		attrs = append(attrs, slog.String("trace_id", event.TraceID))
	}
	if event.Route {
		attrs = append(attrs, slog.Bool("route", true))
	}
	if err := event.Err; err != nil {
		attrs = append(attrs, slog.String("reason", string(err.Reason)), slog.String("rule", err.Rule),
			slog.String("detail", err.Error()), slog.String("hint", err.Hint))
	}
	if event.Rule != "" {
		attrs = append(attrs, slog.String("rule", event.Rule))
	}
	attrs = appendCertificate(attrs, &event.Certificate)
	if event.ServerAuth != "" {
		attrs = append(attrs, slog.String("server_auth", event.ServerAuth))
	}
	if id := event.Identity; id != nil && len(id.Matched) > 0 {
		attrs = append(attrs, slog.Any("roles", id.Matched))
	}
	attrs = appendRevocation(attrs, &event.Revocation)
	a.config.Logger.LogAttrs(ctx, levelOf(event), "certauth: "+string(event.Outcome), seen.append(attrs)...)
}

// appendCertificate writes an unverified name under a key of its own, so that a query for verified
// names never finds it.
func appendCertificate(attrs []slog.Attr, info *CertificateInfo) []slog.Attr {
	if info.Fingerprint == "" {
		return attrs
	}
	attrs = append(attrs, slog.String("fingerprint", info.Fingerprint))
	switch {
	case info.Subject == "":
		return attrs
	case info.Verified:
		return append(attrs, slog.String("subject", info.Subject))
	}
	return append(attrs, slog.String("subject_unverified", info.Subject))
}

func appendRevocation(attrs []slog.Attr, found *Revocation) []slog.Attr {
	if found.isZero() {
		return attrs
	}
	attrs = append(attrs, slog.String("revocation", found.Status.String()))
	if found.Why != "" {
		attrs = append(attrs, slog.String("revocation_why", logtext.Line(found.Why, maxRequestText)))
	}
	if found.Stale {
		attrs = append(attrs, slog.Time("revocation_stale_since", found.NextUpdate.UTC().Truncate(time.Second)))
	}
	return attrs
}

// logEnded writes the remaining count of a kind of refusal that does not occur any more.
func (a *Authenticator) logEnded(source string, kind repeated) {
	attrs := []slog.Attr{slog.String("source", source)}
	if kind.key.path != "" {
		attrs = append(attrs, slog.String("path", kind.key.path))
	}
	if kind.key.reason != "" {
		attrs = append(attrs, slog.String("reason", string(kind.key.reason)))
	}
	if kind.key.rule != "" {
		attrs = append(attrs, slog.String("rule", kind.key.rule))
	}
	if kind.key.certificate != "" {
		attrs = append(attrs, slog.String("fingerprint", kind.key.certificate))
	}
	message := "certauth: refusals"
	if kind.key.outcome != "" {
		message = "certauth: " + string(kind.key.outcome)
	}
	a.config.Logger.LogAttrs(context.Background(), slog.LevelWarn, message, kind.append(attrs)...)
}

package codec

import (
	"testing"

	"github.com/alexedwards/scs/v2"
)

// BenchmarkCodec compares Codec with scs.GobCodec, the default of scs, on a session of three keys.
func BenchmarkCodec(b *testing.B) {
	codecs := []struct {
		name  string
		codec scs.Codec
	}{
		{"gob", scs.GobCodec{}},
		{"scskit", Codec{}},
	}
	values := threeKeys()
	for _, c := range codecs {
		record := mustEncode(b, c.codec, values)
		b.Run("op=encode/codec="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.codec.Encode(someDeadline, values); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(record)), "bytes/record")
		})
		b.Run("op=decode/codec="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.codec.Decode(record); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(record)), "bytes/record")
		})
	}
	record := mustEncode(b, Codec{}, values)
	b.Run("op=check/codec=scskit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Check(record); err != nil {
				b.Fatal(err)
			}
		}
	})
}

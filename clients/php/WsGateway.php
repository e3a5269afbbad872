<?php
/*
 * A publisher for ws-gatewayd: one file, PHP 7.4 or later, no extension but
 * json, and openssl for https.
 *
 *	$gateway = new WsGateway\Publisher("http://127.0.0.1:8080", $token);
 *	$gateway->publish(21, "target", ["hit" => true]);
 *
 * An object keeps its connection for the next message.
 */
declare(strict_types=1);

namespace WsGateway;

/** Whatever went wrong. */
class GatewayException extends \RuntimeException
{
}

/** What was to be sent can't be: it is not JSON, or not UTF-8. */
class InvalidMessageException extends GatewayException
{
}

/** No connection, or it broke.  The message may have been taken or not. */
class ConnectionException extends GatewayException
{
}

/** It took too long.  The message may have been taken or not. */
class TimeoutException extends ConnectionException
{
}

/** The gateway has answered with another status than 200: getCode(). */
class ResponseException extends GatewayException
{
	/** @var int|null seconds that the gateway asked to wait */
	private $retryAfter;

	public function __construct(string $text, int $status,
	    ?int $retryAfter = null)
	{
		parent::__construct($text, $status);
		$this->retryAfter = $retryAfter;
	}

	public function getStatus(): int
	{
		return $this->getCode();
	}

	/** Seconds to wait before the next try, or null. */
	public function getRetryAfter(): ?int
	{
		return $this->retryAfter;
	}
}

/** 400: the gateway says what was wrong. */
class BadRequestException extends ResponseException
{
}

/** 401, 403: no token, or not one of a server, or one that has expired. */
class AuthenticationException extends ResponseException
{
}

/** 404: there is no gateway at that address. */
class NotFoundException extends ResponseException
{
}

/** 413: the message is larger than the gateway takes. */
class TooLargeException extends ResponseException
{
}

/** 429: too many messages; getRetryAfter() says how long to wait. */
class RateLimitedException extends ResponseException
{
}

/** 502, 503, 504: the gateway or its database is away for now. */
class UnavailableException extends ResponseException
{
}

/** What became of a message; null where a gateway does not say. */
final class Result
{
	/** @var int|null connections that it was given to */
	public $delivered;
	/** @var bool|null whether it waits in the offline queue */
	public $queued;

	public function __construct(?int $delivered, ?bool $queued)
	{
		$this->delivered = $delivered;
		$this->queued = $queued;
	}
}

class Publisher
{
	private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES |
	    JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;

	/** @var Connection */
	private $connection;
	/** @var string */
	private $prefix;
	/** @var string */
	private $token;

	/**
	 * $address: "http://127.0.0.1:8080", "https://example.org/prefix",
	 * "unix:/run/ws-gatewayd/http.sock".  Times are in seconds: to connect,
	 * for a whole request, and for which an idle connection is kept (less than
	 * the gateway's keepalive-timeout).  $tls: options of PHP's "ssl" context.
	 */
	public function __construct(
	    string $address,
	    #[\SensitiveParameter]
	    string $token,
	    float $timeout = 5.0,
	    float $connectTimeout = 2.0,
	    float $keepAlive = 30.0,
	    array $tls = []
	) {
		if (preg_match('/^[\x21-\x7e]+$/D', $token) !== 1)
			throw new \InvalidArgumentException(
			    "a token has no spaces and no control characters");
		if ($timeout <= 0 || $connectTimeout <= 0 || $keepAlive < 0)
			throw new \InvalidArgumentException(
			    "times must be positive");
		[$target, $host, $this->prefix] = self::parse($address);
		$this->token = $token;
		$this->connection = new Connection($target, $host, $timeout,
		    $connectTimeout, $keepAlive, $tls);
	}

	/** No token in dumps. */
	public function __debugInfo(): array
	{
		return ["connection" => $this->connection];
	}

	/**
	 * To every connection of a player, or into the offline queue.
	 *
	 * @param int|string $player
	 * @param mixed $data anything that json_encode() takes
	 */
	public function publish($player, string $event, $data = null): Result
	{
		return $this->send("/publish",
		    ["player_id" => self::player($player), "event" => $event,
		    "payload" => $data]);
	}

	/**
	 * To everybody who is connected; never queued.
	 *
	 * @param mixed $data anything that json_encode() takes
	 */
	public function broadcast(string $event, $data = null): Result
	{
		return $this->send("/broadcast",
		    ["event" => $event, "payload" => $data]);
	}

	/** Ends the connection; the next message makes another. */
	public function close(): void
	{
		$this->connection->close();
	}

	/** @param mixed $player */
	private static function player($player): string
	{
		if (!is_int($player) && !is_string($player))
			throw new \TypeError("a player is an integer or a string");
		if ($player === "")
			throw new \InvalidArgumentException(
			    "a player's name can't be empty");
		return (string)$player;
	}

	/** Where to connect, the Host header, and what comes before /publish. */
	private static function parse(string $address): array
	{
		if (preg_match('~^unix:(?://)?(/.+)$~sD', $address, $m) === 1)
			return ["unix://" . $m[1], "localhost", ""];
		$u = parse_url($address);
		if ($u === false || !isset($u["scheme"], $u["host"]) ||
		    !in_array($u["scheme"], ["http", "https"], true) ||
		    isset($u["user"]) || isset($u["query"]) ||
		    isset($u["fragment"]) ||
		    preg_match('/[^\x21-\x7e]/', $address) === 1)
			throw new \InvalidArgumentException(
			    "the address must be http://HOST[:PORT][/PREFIX], " .
			    "https://..., or unix:/PATH");
		$tls = $u["scheme"] === "https";
		$port = $u["port"] ?? ($tls ? 443 : 80);
		return [($tls ? "ssl" : "tcp") . "://" . $u["host"] . ":" . $port,
		    $u["host"] . (isset($u["port"]) ? ":" . $port : ""),
		    rtrim($u["path"] ?? "", "/")];
	}

	private function send(string $path, array $message): Result
	{
		try {
			$body = json_encode($message, self::JSON);
		} catch (\JsonException $e) {
			throw new InvalidMessageException("the message is not " .
			    "JSON: " . $e->getMessage(), 0, $e);
		}
		[$status, $headers, $text] = $this->connection->post(
		    $this->prefix . $path, $this->token, $body);
		if ($status !== 200)
			throw self::failure($status, $headers, $text);
		$said = json_decode($text, true);
		$delivered = $said["delivered"] ?? null;
		$queued = $said["queued"] ?? null;
		return new Result(is_int($delivered) ? $delivered : null,
		    is_int($queued) ? $queued > 0 : null);
	}

	private static function failure(int $status, array $headers,
	    string $text): ResponseException
	{
		$kinds = [400 => BadRequestException::class,
		    401 => AuthenticationException::class,
		    403 => AuthenticationException::class,
		    404 => NotFoundException::class,
		    413 => TooLargeException::class,
		    429 => RateLimitedException::class,
		    502 => UnavailableException::class,
		    503 => UnavailableException::class,
		    504 => UnavailableException::class];
		$kind = $kinds[$status] ?? ResponseException::class;
		// A proxy's page is of no use in a log.
		$text = strtok(trim($text), "\n");
		if ($text === false || $text[0] === "<")
			$text = "refused";
		return new $kind($status . " " . substr($text, 0, 200), $status,
		    self::retryAfter($headers["retry-after"] ?? ""));
	}

	/** Seconds, out of a number or a date. */
	private static function retryAfter(string $value): ?int
	{
		if (preg_match('/^[0-9]{1,9}$/D', $value) === 1)
			return (int)$value;
		if (preg_match('/^[A-Z][a-z]{2}, .* GMT$/D', $value) !== 1)
			return null;
		$date = strtotime($value);
		return $date === false ? null : max(0, $date - time());
	}
}

/**
 * HTTP/1.1 over one connection that is kept.
 *
 * @internal
 */
final class Connection
{
	private const MAX_RESPONSE = 1048576;

	/** @var string */
	private $target;
	/** @var string */
	private $host;
	/** @var float */
	private $timeout;
	/** @var float */
	private $connectTimeout;
	/** @var float */
	private $keepAlive;
	/** @var array */
	private $tls;
	/** @var resource|null */
	private $stream = null;
	/** @var float when it was last used */
	private $usedAt = 0.0;
	/** @var int whose it is: a child must not share its parent's */
	private $pid = 0;
	/** @var float */
	private $deadline = 0.0;
	/** @var string what has been read and not been used */
	private $buffer = "";

	public function __construct(string $target, string $host, float $timeout,
	    float $connectTimeout, float $keepAlive, array $tls)
	{
		$this->target = $target;
		$this->host = $host;
		$this->timeout = $timeout;
		$this->connectTimeout = $connectTimeout;
		$this->keepAlive = $keepAlive;
		$this->tls = $tls;
	}

	/** Status, headers by their lower-case names, body. */
	public function post(string $path,
	    #[\SensitiveParameter]
	    string $token, string $body): array
	{
		$this->deadline = self::now() + $this->timeout;
		if (!$this->usable())
			$this->connect();
		$done = false;
		try {
			$all = $this->write("POST " . $path . " HTTP/1.1\r\n" .
			    "Host: " . $this->host . "\r\n" .
			    "Authorization: Bearer " . $token . "\r\n" .
			    "Content-Type: application/json\r\n" .
			    "Content-Length: " . strlen($body) . "\r\n\r\n" .
			    $body);
			$response = $this->response();
			$done = $all;
		} finally {
			// Where the next answer would begin is not known.
			if (!$done)
				$this->close();
		}
		return $response;
	}

	public function close(): void
	{
		if (is_resource($this->stream))
			fclose($this->stream);
		$this->stream = null;
		$this->buffer = "";
	}

	private static function now(): float
	{
		return hrtime(true) / 1e9;
	}

	// -- the connection -----------------------------------------------------

	/** Still open, ours, and with nothing in it that belongs to nobody. */
	private function usable(): bool
	{
		if ($this->stream === null)
			return false;
		if ($this->pid === getmypid() &&
		    self::now() - $this->usedAt < $this->keepAlive &&
		    @fread($this->stream, 1) === "" && !feof($this->stream))
			return true;
		$this->close();
		return false;
	}

	private function connect(): void
	{
		$limit = min($this->connectTimeout, $this->timeout);
		$context = stream_context_create(["ssl" => $this->tls]);
		// Of several, the first says why.
		$warning = "";
		set_error_handler(static function (int $kind, string $text)
		    use (&$warning): bool {
			$warning = $warning ?: $text;
			return true;
		});
		try {
			$stream = stream_socket_client($this->target, $errno,
			    $text, $limit, STREAM_CLIENT_CONNECT, $context);
		} finally {
			restore_error_handler();
		}
		if ($stream === false) {
			$text = "no connection to " . $this->target . ": " .
			    ($text !== "" ? $text : $warning);
			if (stripos($text, "timed out") !== false)
				throw new TimeoutException($text);
			throw new ConnectionException($text);
		}
		stream_set_blocking($stream, false);
		$this->stream = $stream;
		$this->pid = getmypid();
	}

	/** Until it can be read from, or written to if that is wanted. */
	private function wait(bool $write): void
	{
		$left = $this->deadline - self::now();
		if ($left <= 0)
			throw new TimeoutException("no answer within " .
			    $this->timeout . " s");
		$r = [$this->stream];
		$w = $write ? [$this->stream] : [];
		$e = [];
		// Interrupted by a signal, it says false, and we look again.
		@stream_select($r, $w, $e, (int)$left,
		    (int)(($left - (int)$left) * 1e6));
	}

	/** False if an answer came before the end: a refusal. */
	private function write(string $bytes): bool
	{
		while ($bytes !== "") {
			$n = @fwrite($this->stream, $bytes);
			$broken = $n === false || ($n === 0 && feof($this->stream));
			if (!$broken && $n > 0) {
				$bytes = (string)substr($bytes, $n);
				continue;
			}
			$data = @fread($this->stream, 65536);
			if (is_string($data) && $data !== "") {
				$this->buffer = $data;
				return false;
			}
			if ($broken)
				throw new ConnectionException(
				    "the connection broke");
			$this->wait(true);
		}
		return true;
	}

	/** Read what there is; false at the end. */
	private function fill(): bool
	{
		for (;;) {
			$data = @fread($this->stream, 65536);
			if ($data === false)
				return false;
			if ($data !== "")
				break;
			if (feof($this->stream))
				return false;
			$this->wait(false);
		}
		$this->buffer .= $data;
		if (strlen($this->buffer) > self::MAX_RESPONSE)
			throw new ConnectionException("the answer is too large");
		return true;
	}

	/** The next $n bytes. */
	private function take(int $n): string
	{
		while (strlen($this->buffer) < $n) {
			if (!$this->fill())
				throw new ConnectionException(
				    "the connection ended within the answer");
		}
		$data = (string)substr($this->buffer, 0, $n);
		$this->buffer = (string)substr($this->buffer, $n);
		return $data;
	}

	private function line(): string
	{
		while (($end = strpos($this->buffer, "\n")) === false) {
			if (!$this->fill())
				throw new ConnectionException(
				    $this->buffer === "" ?
				    "the connection ended without an answer" :
				    "the connection ended within the answer");
		}
		return rtrim($this->take($end + 1), "\r\n");
	}

	// -- the answer -----------------------------------------------------------

	private function response(): array
	{
		do {
			[$status, $minor] = $this->status();
			$headers = $this->headers();
		} while ($status < 200);
		$body = $this->body($status, $headers);
		$connection = strtolower($headers["connection"] ?? "");
		if ($minor === 0 || strpos($connection, "close") !== false ||
		    $this->buffer !== "")
			$this->close();
		$this->usedAt = self::now();
		return [$status, $headers, $body];
	}

	private function status(): array
	{
		if (preg_match('~^HTTP/1\.([01]) ([1-9][0-9]{2})(?: |$)~',
		    $this->line(), $m) !== 1)
			throw new ConnectionException("the answer is not HTTP");
		return [(int)$m[2], (int)$m[1]];
	}

	private function headers(): array
	{
		$headers = [];
		while (($line = $this->line()) !== "") {
			$parts = explode(":", $line, 2);
			if (count($parts) !== 2)
				throw new ConnectionException(
				    "the answer is not HTTP");
			$headers[strtolower($parts[0])] = trim($parts[1]);
		}
		return $headers;
	}

	private function body(int $status, array $headers): string
	{
		if ($status === 204 || $status === 304)
			return "";
		if (isset($headers["transfer-encoding"]))
			return $this->chunks();
		if (isset($headers["content-length"])) {
			if (preg_match('/^[0-9]{1,9}$/D',
			    $headers["content-length"]) !== 1)
				throw new ConnectionException(
				    "the answer is not HTTP");
			return $this->take((int)$headers["content-length"]);
		}
		while ($this->fill())
			;
		$body = $this->buffer;
		$this->close();
		return $body;
	}

	private function chunks(): string
	{
		$body = "";
		for (;;) {
			if (preg_match('/^([0-9A-Fa-f]{1,7})(?:[ \t;]|$)/',
			    $this->line(), $m) !== 1)
				throw new ConnectionException(
				    "the answer is not HTTP");
			$n = (int)hexdec($m[1]);
			if ($n === 0)
				break;
			$body .= $this->take($n);
			if (strlen($body) > self::MAX_RESPONSE)
				throw new ConnectionException(
				    "the answer is too large");
			$this->line();
		}
		while ($this->line() !== "")
			;
		return $body;
	}
}

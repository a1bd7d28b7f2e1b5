//! Real servers on free ports, hosts in process and as processes, signed test actors.
